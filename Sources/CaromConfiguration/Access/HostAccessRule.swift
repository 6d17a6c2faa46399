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

        func contains(_ address: IPNetwork.Address) -> Bool {
            switch self {
            case .all: true
            case .interfaces(let isWhole):
                IPNetwork.ofInterfaces(isWhole: isWhole).contains { $0.contains(address) }
            case .network(let network): network.contains(address)
            }
        }
    }

    /// What a client's certificate must be, beside what the method asks.
    package enum ClientCertificate: String, CaseIterable, Sendable {
        case verifyCA = "verify-ca"
        case verifyFull = "verify-full"
    }

    package let line: Int
    let connection: Connection
    let databases: [AccessFileLines.Token]
    let users: [AccessFileLines.Token]
    /// Of lines that are not `local`.
    let addresses: Addresses
    package let method: Method
    /// `map`: of the file of names (`ident_file`).
    package internal(set) var map: String?
    package internal(set) var clientCertificate: ClientCertificate?

    func matches(_ request: HostAccessRequest) -> Bool {
        guard connection.matches(request.channel) else { return false }
        if connection != .local {
            guard let address = request.address, addresses.contains(address) else { return false }
        }
        return databases.contains { names($0, request) }
            && users.contains { $0.isKeyword("all") || $0.text.utf8.elementsEqual(request.user.utf8) }
    }

    private func names(_ token: AccessFileLines.Token, _ request: HostAccessRequest) -> Bool {
        // As in PostgreSQL: nothing else is about such clients, and this about no others.
        if token.isKeyword("replication") { return request.isPhysicalReplication }
        if request.isPhysicalReplication { return false }
        if token.isKeyword("all") { return true }
        if token.isKeyword("sameuser") { return request.database.utf8.elementsEqual(request.user.utf8) }
        return token.text.utf8.elementsEqual(request.database.utf8)
    }
}
