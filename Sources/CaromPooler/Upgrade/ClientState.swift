// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor

/// A client between two transactions, as one process tells another of it. Its socket comes beside.
struct ClientState: Equatable, Sendable {
    /// By which logs and errors name it.
    var id: ConnectionID
    /// When it came, in nanoseconds of the monotonic clock, which both processes read.
    var startedAt: UInt64
    var user: String
    var database: String
    /// Who it is was asked for: it has more than said so.
    var hasProved: Bool
    var peer: SocketAddress
    /// Where it was accepted.
    var listener: String
    /// What a cancel must show.
    var key: BackendKeyData
    /// What servers of its route are opened with, where that is what a client has shown to know.
    var credentials: PassedCredentials?
    var relay: RelayRecord
}

// A key, settings and texts are nobody else's business.
extension ClientState: CustomStringConvertible, CustomReflectable {
    var description: String { "client \(id)" }
    var customMirror: Mirror { Mirror(self, children: ["id": "\(id)"]) }
}

// MARK: As bytes

extension ClientState {
    func encode(into writer: inout HandOverWriter) {
        writer.put("\(id)")
        writer.put(startedAt)
        writer.put(user)
        writer.put(database)
        writer.put(hasProved)
        writer.put(peer)
        writer.put(listener)
        writer.put(key.processID)
        writer.put(key.key)
        writer.put(credentials) { $1.encode(into: &$0) }
        relay.encode(into: &writer)
    }

    init(from reader: inout HandOverReader) throws(HandOverError) {
        guard let id = ConnectionID(try reader.text()), id.side == .client else { throw .impossible("id") }
        self.id = id
        startedAt = try reader.number()
        user = try reader.text()
        database = try reader.text()
        hasProved = try reader.flag()
        peer = try reader.address()
        listener = try reader.text()
        key = BackendKeyData(processID: try reader.number(), key: try reader.data())
        credentials = try reader.optional { (reader) throws(HandOverError) in
            try PassedCredentials(from: &reader)
        }
        relay = try RelayRecord(from: &reader)
    }
}

extension RelayRecord {
    fileprivate func encode(into writer: inout HandOverWriter) {
        writer.put(input)
        writer.put(choice) { $0.put($1.rawValue) }
        writer.put(session.startup)
        writer.put(session.wishes)
        writer.put(session.told)
        writer.put(session.effects.rawValue)
        writer.put(UInt32(clamping: session.settingChanges))
        writer.put(session.hasUnknownChanges)
        writer.put(session.unsettled.rawValue)
        writer.put(session.customNames) { $0.put($1) }
        writer.put(isConfirmed)
        writer.put(statements) { writer, statement in
            writer.put(statement.name)
            writer.put(statement.content)
            writer.put(statement.meaning) { $0.put($1) }
            writer.put(statement.types) { $0.put($1) }
            writer.put(statement.rows)
        }
    }

    fileprivate init(from reader: inout HandOverReader) throws(HandOverError) {
        input = try reader.data()
        choice = try reader.optional { (reader) throws(HandOverError) in
            guard let choice = TargetSessionAttributes(rawValue: try reader.text()) else {
                throw .impossible("choice of a server")
            }
            return choice
        }
        session.startup = try reader.settings()
        session.wishes = try reader.settings()
        session.told = try reader.settings()
        session.effects = StatementEffects(rawValue: try reader.number())
        session.settingChanges = Int(try reader.number(UInt32.self))
        session.hasUnknownChanges = try reader.flag()
        session.unsettled = TextSettings(rawValue: try reader.number())
        session.customNames = try reader.list { (reader) throws(HandOverError) in try reader.text() }
        isConfirmed = try reader.flag()
        statements = try reader.list { (reader) throws(HandOverError) in
            StatementRecord(
                name: try reader.data(), content: try reader.data(),
                meaning: try reader.optional { (reader) throws(HandOverError) in try reader.data() },
                types: try reader.optional { (reader) throws(HandOverError) in try reader.data() },
                rows: try reader.number())
        }
        // A Parse without a terminator behind its text was refused long ago.
        guard statements.allSatisfy({ $0.content.contains(0) }) else { throw .impossible("statement") }
    }
}

extension HandOverWriter {
    fileprivate mutating func put(_ settings: SettingValues) {
        put(settings.all) { writer, setting in
            writer.put(setting.name)
            writer.put(setting.value)
        }
    }

    mutating func put(_ address: SocketAddress) {
        switch address.kind {
        case .ip(let host, let port):
            put(true)
            put(host)
            put(port)
        case .unix(let path):
            put(false)
            put(path)
        }
    }
}

extension HandOverReader {
    fileprivate mutating func settings() throws(HandOverError) -> SettingValues {
        let settings = try list { (reader) throws(HandOverError) in
            StartupParameter(try reader.text(), try reader.text())
        }
        guard settings.allSatisfy({ !$0.value.utf8.contains(0) }) else { throw .impossible("setting") }
        return SettingValues(settings)
    }

    mutating func address() throws(HandOverError) -> SocketAddress {
        try flag()
            ? SocketAddress(.ip(try text(), port: try number())) : SocketAddress(.unix(path: try text()))
    }
}
