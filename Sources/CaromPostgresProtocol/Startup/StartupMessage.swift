// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A name and a value, in the order they came.
package struct StartupParameter: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What a client (or we, towards a server) says when a session begins.
package struct StartupMessage: Equatable, Sendable {
    /// Replication asked for in the start-up packet.
    package enum Replication: String, Sendable {
        /// An ordinary session.
        case none = "false"
        /// Physical replication: a WAL sender without a database.
        case physical = "true"
        /// Logical replication: a WAL sender that also takes SQL.
        case logical = "database"
    }

    /// Longest user or database name that PostgreSQL keeps, in bytes.
    package static let longestName = 63

    package var version: ProtocolVersion
    package var user: String
    /// The user's name if the client named no database.
    package var database: String
    package var replication: Replication
    /// Command line switches as the client wrote them; `StartupOptions` reads them.
    package var options: String?
    /// Everything else but the `_pq_.` names, in order, duplicates included (the last one counts).
    package var parameters: [StartupParameter]
    /// Protocol extensions (`_pq_.` names) the client asks for, none of which we know.
    package var protocolExtensions: [StartupParameter]

    package init(
        version: ProtocolVersion = .v3_0, user: String, database: String? = nil,
        replication: Replication = .none, options: String? = nil, parameters: [StartupParameter] = [],
        protocolExtensions: [StartupParameter] = []
    ) {
        self.version = version
        self.user = user
        self.database = database ?? user
        self.replication = replication
        self.options = options
        self.parameters = parameters
        self.protocolExtensions = protocolExtensions
    }

    /// Writes the packet, which has no type byte.
    package func encode(into bytes: inout [UInt8]) {
        bytes.appendMeasured { bytes in
            bytes.append32(version.code)
            bytes.appendText("user")
            bytes.appendText(user)
            bytes.appendText("database")
            bytes.appendText(database)
            if replication != .none {
                bytes.appendText("replication")
                bytes.appendText(replication.rawValue)
            }
            if let options {
                bytes.appendText("options")
                bytes.appendText(options)
            }
            // An empty name would end the list.
            for parameter in parameters + protocolExtensions where !parameter.name.isEmpty {
                bytes.appendText(parameter.name)
                bytes.appendText(parameter.value)
            }
            bytes.append(0)
        }
    }

    /// The answer a client needs that asks for more than we speak; nil if it asks for nothing unknown.
    package func negotiation(newest: ProtocolVersion = .v3_2) -> NegotiateProtocolVersion? {
        guard version > newest || !protocolExtensions.isEmpty else { return nil }
        return NegotiateProtocolVersion(
            version: min(version, newest), unrecognised: protocolExtensions.map(\.name))
    }
}
