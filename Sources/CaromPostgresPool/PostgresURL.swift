// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromTLS

/// A connection URL as libpq reads it: `postgres://user:password@host:5432,other/database?sslmode=verify-full`.
struct PostgresURL: Sendable {
    struct Host: Hashable, Sendable {
        /// A name, an address, or the directory of a socket.
        var name: String
        var port: UInt16
    }

    /// None: `localhost`, unless somebody else says where the servers are.
    var hosts: [Host] = []
    var user = "postgres"
    var password: String?
    var database: String
    var encryption = TLSOptions(mode: .prefer)
    /// What `target_session_attrs` asks for.
    var role: PostgresRole?
    /// Settings of the session, such as `application_name`.
    var parameters: [String: String] = [:]

    /// - Throws: `PostgresError` with the code `invalidRequest`; its message has nothing of the URL but names.
    init(_ text: String) throws(PostgresError) {
        guard let scheme = ["postgres://", "postgresql://"].first(where: { text.hasPrefix($0) }) else {
            throw Self.error("it must begin with postgres:// or postgresql://")
        }
        var rest = text.dropFirst(scheme.count)
        var query = Substring()
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        database = ""
        if let slash = rest.firstIndex(of: "/") {
            database = try Self.decoded(rest[rest.index(after: slash)...])
            rest = rest[..<slash]
        }
        if let at = rest.lastIndex(of: "@") {
            let parts = rest[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            user = try Self.decoded(parts[0])
            if parts.count > 1 { password = try Self.decoded(parts[1]) }
            rest = rest[rest.index(after: at)...]
        }
        for host in rest.split(separator: ",") { hosts.append(try Self.host(host)) }
        for setting in query.split(separator: "&") {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw Self.error("'\(setting)' has no value") }
            try apply(try Self.decoded(parts[0]), try Self.decoded(parts[1]))
        }
        if database.isEmpty { database = user }
        if encryption.mode.verifiesPeer, encryption.authorityFile == nil {
            encryption.authorityFile = TLSOptions.systemTrust
        }
    }

    private mutating func apply(_ name: String, _ value: String) throws(PostgresError) {
        switch name {
        case "user": user = value
        case "password": password = value
        case "dbname": database = value
        case "host": for host in value.split(separator: ",") { hosts.append(try Self.host(host)) }
        case "sslmode":
            do throws(TLSError) {
                encryption.mode = try TLSMode(parsing: value)
            } catch {
                throw Self.error("sslmode: \(error)")
            }
        case "sslrootcert": encryption.authorityFile = value
        case "sslcert": encryption.certificateFile = value
        case "sslkey": encryption.keyFile = value
        case "target_session_attrs":
            switch value {
            case "any": role = nil
            case "primary", "read-write": role = .primary
            case "standby", "read-only": role = .standby
            default:
                throw Self.error("target_session_attrs is any, primary, read-write, standby or read-only")
            }
        case "application_name", "options", "client_encoding": parameters[name] = value
        default: throw Self.error("'\(name)' is not known")
        }
    }

    /// A host with its port, if it has one; an IPv6 address stands in brackets.
    private static func host(_ text: Substring) throws(PostgresError) -> Host {
        var name = text
        var port: Substring?
        if text.hasPrefix("["), let end = text.lastIndex(of: "]") {
            name = text[text.index(after: text.startIndex)..<end]
            let rest = text[text.index(after: end)...]
            if rest.hasPrefix(":") { port = rest.dropFirst() } else if !rest.isEmpty { port = rest }
        } else if let colon = text.lastIndex(of: ":") {
            name = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        let decoded = try decoded(name)
        guard let port else { return Host(name: decoded, port: 5432) }
        guard let number = UInt16(port), number > 0 else {
            throw error("the port of '\(decoded)' is no number from 1 to 65535")
        }
        return Host(name: decoded, port: number)
    }

    /// Without percent signs.
    private static func decoded(_ text: Substring) throws(PostgresError) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            guard let high = rest.popFirst().flatMap({ Character(UnicodeScalar($0)).hexDigitValue }),
                let low = rest.popFirst().flatMap({ Character(UnicodeScalar($0)).hexDigitValue }),
                high + low > 0
            else {
                throw error("a percent sign is followed by two hexadecimal digits, and 00 is not allowed")
            }
            bytes.append(UInt8(high << 4 | low))
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func error(_ message: String) -> PostgresError {
        PostgresError(.invalidRequest, "the URL of a PostgreSQL service: \(message)")
    }
}
