// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A client, as the lines of an `hba_file` see it.
package struct HostAccessRequest: Sendable {
    package enum Channel: Sendable { case local, plain, tls }

    package let channel: Channel
    /// Nil for a Unix socket.
    package let address: IPNetwork.Address?
    package let database: String
    package let user: String
    /// It comes for physical replication, which is of no database.
    package let isPhysicalReplication: Bool

    package init(
        channel: Channel, address: IPNetwork.Address?, database: String, user: String,
        isPhysicalReplication: Bool = false
    ) {
        self.isPhysicalReplication = isPhysicalReplication
        self.channel = channel
        self.address = address
        self.database = database
        self.user = user
    }
}

/// A line of an `hba_file`: whom it is about, and what becomes of them.
package struct HostAccessRule: Equatable, Sendable {
    /// What is done about a client.
    package enum Method: String, CaseIterable, Sendable {
        /// It goes on as its route says (Odyssey's word).
        case allow
        case trust
        case reject
        case password
        case md5
        case scramSHA256 = "scram-sha-256"
        case certificate = "cert"
        case peer
        case pam
        case ldap
    }

    /// The connections that a line is about.
    enum Connection: String, Sendable {
        case local
        case host
        case hostWithTLS = "hostssl"
        case hostInTheOpen = "hostnossl"

        func matches(_ channel: HostAccessRequest.Channel) -> Bool {
            switch self {
            case .local: channel == .local
            case .host: channel != .local
            case .hostWithTLS: channel == .tls
            case .hostInTheOpen: channel == .plain
            }
        }
    }

    enum Addresses: Equatable, Sendable {
        case all
        /// `samehost`, `samenet`: looked up when a client comes, since interfaces come and go.
        case interfaces(isWhole: Bool)
        case network(IPNetwork)
        /// A name, or all that end so if it begins with a dot.
        case host(String)

        func contains(_ address: IPNetwork.Address, _ facts: HostAccessFacts) -> HostAccessMatch {
            switch self {
            case .all: .yes
            case .interfaces(let isWhole):
                HostAccessMatch(IPNetwork.ofInterfaces(isWhole: isWhole).contains { $0.contains(address) })
            case .network(let network): HostAccessMatch(network.contains(address))
            case .host(let name): facts.isHost(name)
            }
        }
    }

    /// What stands for a database or a user.
    struct Name: Equatable, Sendable {
        let token: AccessFileLines.Token
        /// Of one that begins with a slash.
        let pattern: NamePattern?

        func isKeyword(_ word: String) -> Bool { token.isKeyword(word) }

        /// The role whose members are meant.
        var role: Substring? { !token.isQuoted && token.text.first == "+" ? token.text.dropFirst() : nil }

        func stands(for name: String) -> HostAccessMatch {
            HostAccessMatch(pattern?.matches(name) ?? token.text.utf8.elementsEqual(name.utf8))
        }
    }

    /// What a client's certificate must be, beside what the method asks.
    package enum ClientCertificate: String, CaseIterable, Sendable {
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }

    /// PostgreSQL's own, so that a line means to both the same.
    package static let defaultPAMService = "postgresql"

    package let line: Int
    let connection: Connection
    let databases: [Name]
    let users: [Name]
    /// Of lines that are not `local`.
    let addresses: Addresses
    package let method: Method
    /// `map`: of the file of names (`ident_file`).
    package internal(set) var map: String?
    /// `pamservice`: who checks the password.
    package internal(set) var pamService: String?
    /// The options of the method `ldap`: who checks the password, and how they are asked.
    package internal(set) var ldap: LDAPService?
    package internal(set) var clientCertificate: ClientCertificate?

    /// Whether the line is about a client.
    func matches(_ request: HostAccessRequest, _ facts: HostAccessFacts) -> HostAccessMatch {
        guard connection.matches(request.channel) else { return .no }
        let comesFromThere =
            connection == .local
            ? .yes : request.address.map { addresses.contains($0, facts) } ?? HostAccessMatch.no
        if comesFromThere == .no { return .no }
        return .all(
            .any(databases) { database($0, request, facts) }, .any(users) { user($0, request, facts) },
            comesFromThere)
    }

    private func database(_ name: Name, _ request: HostAccessRequest, _ facts: HostAccessFacts)
        -> HostAccessMatch
    {
        // As in PostgreSQL: nothing else is about such clients, and this about no others.
        if name.isKeyword("replication") { return HostAccessMatch(request.isPhysicalReplication) }
        if request.isPhysicalReplication { return .no }
        if name.isKeyword("all") { return .yes }
        if name.isKeyword("sameuser") {
            return HostAccessMatch(request.database.utf8.elementsEqual(request.user.utf8))
        }
        if name.isKeyword("samerole") || name.isKeyword("samegroup") {
            return facts.isMember(of: request.database)
        }
        return name.stands(for: request.database)
    }

    private func user(_ name: Name, _ request: HostAccessRequest, _ facts: HostAccessFacts)
        -> HostAccessMatch
    {
        if let role = name.role { return facts.isMember(of: role) }
        return name.isKeyword("all") ? .yes : name.stands(for: request.user)
    }
}
