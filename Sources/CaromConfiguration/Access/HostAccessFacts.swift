// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a line may want to know of a client that its connection does not say.
package enum HostAccessFact: Equatable, Sendable {
    /// Which roles the user is a member of.
    case roles
    /// What the client's host is called.
    case hostName
}

/// What was found out about a client; nil where nobody has asked yet.
package struct HostAccessFacts: Equatable, Sendable {
    /// What was found out about the host.
    package enum Host: Equatable, Sendable {
        /// A name of the address that has this address.
        case named(String)
        /// There is none.
        case nameless
    }

    /// Names of the roles that the user is a member of, by whatever way; its own among them if the server knows it.
    package var roles: Set<String>?
    package var host: Host?

    package init(roles: Set<String>? = nil, host: Host? = nil) {
        self.roles = roles
        self.host = host
    }

    /// PostgreSQL asks for membership itself, not for what a superuser may do.
    func isMember(of role: some StringProtocol) -> HostAccessMatch {
        guard let roles else { return .depends(on: .roles) }
        // By their bytes: names that only look the same are two.
        return HostAccessMatch(roles.contains { $0.utf8.elementsEqual(role.utf8) })
    }

    /// - Parameter pattern: a name, or its end behind a dot.
    func isHost(_ pattern: String) -> HostAccessMatch {
        guard let known = self.host else { return .depends(on: .hostName) }
        guard case .named(let name) = known else { return .no }
        let (host, wanted) = (name.lowercased(), pattern.lowercased())
        return HostAccessMatch(wanted.first == "." ? host.hasSuffix(wanted) : host == wanted)
    }
}

/// Whether a line is about a client, as far as is known.
enum HostAccessMatch: Equatable {
    case no
    case yes
    case depends(on: HostAccessFact)

    init(_ isSo: Bool) { self = isSo ? .yes : .no }

    /// Whether one of them is so. What is not known counts only where nothing else decides.
    static func any<Item>(_ items: [Item], _ matches: (Item) -> HostAccessMatch) -> HostAccessMatch {
        items.reduce(.no) { found, item in
            if found == .yes { return .yes }
            let next = matches(item)
            return next == .no ? found : next
        }
    }

    /// Whether all of them are so.
    static func all(_ matches: HostAccessMatch...) -> HostAccessMatch {
        if matches.contains(.no) { return .no }
        return matches.first { $0 != .yes } ?? .yes
    }
}
