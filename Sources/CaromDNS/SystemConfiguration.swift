// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Search list and `ndots` of the system configuration.
struct SearchList: Hashable, Sendable {
    var domains: [DNSName] = []
    var dots = 1

    /// The names to try for `text`, in order (resolv.conf(5)): a final dot means the name is complete.
    func candidates(for text: String) throws(DNSError) -> [DNSName] {
        let name = try DNSName(text)
        let longer = domains.compactMap { name.appending($0) }
        if text.last == "." || longer.isEmpty { return [name] }
        return name.labelCount > dots ? [name] + longer : longer + [name]
    }
}

/// What `/etc/resolv.conf` says. Lines and words it does not know are skipped, as the C library does.
struct SystemConfiguration: Hashable, Sendable {
    var servers: [DNSServer] = []
    var search = SearchList()

    init(parsing text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" && $0 != ";" }.split(whereSeparator: \.isWhitespace).map(
                String.init)
            guard let keyword = words.first else { continue }
            let rest = words.dropFirst()
            switch keyword {
            case "nameserver":
                if let word = rest.first, let server = try? DNSServer(address: word) {
                    servers.append(server)
                }
            case "search", "domain":
                search.domains = rest.compactMap { try? DNSName($0) }.filter { $0 != .root }
            case "options":
                for word in rest where word.hasPrefix("ndots:") {
                    if let dots = Int(word.dropFirst(6)) { search.dots = min(max(dots, 0), 15) }
                }
            default: break
            }
        }
    }
}

/// `/etc/hosts` (hosts(5)).
enum HostsFile {
    /// The addresses `name` has in the file, in order. `localhost` has the loopback addresses in any case (RFC 6761).
    static func addresses(of name: String, in text: String) -> [IPAddress] {
        let wanted = (name.last == "." ? String(name.dropLast()) : name).lowercased()
        var found: [IPAddress] = []
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
            guard let first = words.first, let address = IPAddress(String(first)),
                words.dropFirst().contains(where: { $0.lowercased() == wanted }), !found.contains(address)
            else { continue }
            found.append(address)
        }
        if found.isEmpty, wanted == "localhost" { return [.v4(0x7f00_0001), .v6(0, 1)] }
        return found
    }
}
