// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// Asks a server what the present user has left in its session: which settings differ from the defaults, and whether there is
/// anything else that only lives in this session.
///
/// Texts cannot tell: settings change in functions, and transactions roll back. So the server is asked, which is exact.
package struct SessionInquiry: Sendable {
    /// What the server said.
    package struct Answer: Equatable, Sendable {
        /// Settings that were set in the session.
        package var settings = SettingValues()
        /// What else lives in it.
        package var kept = KeptState()

        package init() {}
    }

    /// The query. Everything is qualified, because the client chooses the search path; values come as hexadecimal UTF-8, because it
    /// chooses the encoding.
    ///
    /// - Parameter names: custom settings that may be set: PostgreSQL does not list them.
    package static func query(asking names: some Sequence<String>) -> [UInt8] {
        var query = Array(common.utf8)
        for name in names {
            query.append(contentsOf: " UNION ALL SELECT 'c','\(name)',".utf8)
            query.append(contentsOf: hexadecimal("pg_catalog.current_setting('\(name)',true)").utf8)
        }
        return query
    }

    private static let common =
        "SELECT 's',name,\(hexadecimal("setting"))"
        + " FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'"
        + " UNION ALL SELECT 's','role',\(hexadecimal("pg_catalog.current_setting('role')"))"
        + " UNION ALL SELECT 's','session_authorization',"
        + hexadecimal("CAST(SESSION_USER AS pg_catalog.text)")
        + KeptState.all.map {
            " UNION ALL SELECT 'k','\($0.name)','' WHERE EXISTS (\($0.source))"
        }.joined()

    static func hexadecimal(_ value: String) -> String {
        "pg_catalog.encode(pg_catalog.convert_to(\(value),'UTF8'),'hex')"
    }

    /// Reads the rows of the answer: whole DataRow messages, one behind the other.
    ///
    /// - Parameter user: who the session logged in as.
    /// - Returns: nil for rows that the query does not give.
    package static func answer(_ rows: [UInt8], user: String?) -> Answer? {
        var answer = Answer()
        guard let rows = Self.rows(rows) else { return nil }
        for columns in rows {
            switch columns[0] {
            case "c":
                // None, or taken back, which leaves an empty one.
                if columns[2].isEmpty { continue }
                guard let value = decodeHexadecimal(columns[2]) else { return nil }
                answer.settings.set(columns[1], to: value)
            case "s":
                // They are the transaction's, though they are listed.
                if columns[1].hasPrefix("transaction_"), columns[1] != "transaction_timeout" { continue }
                guard let value = decodeHexadecimal(columns[2]) else { return nil }
                // An extension can give a name that could not be set by a statement of ours.
                guard SettingStatement.isName(columns[1]) else { continue }
                let isDefault =
                    columns[1] == "role" && value == "none"
                    || columns[1] == "session_authorization" && value == user
                if !isDefault { answer.settings.set(columns[1], to: value) }
            case "k":
                guard let state = KeptState.all.first(where: { $0.name == columns[1] }) else { return nil }
                answer.kept.insert(state.state)
            default: return nil
            }
        }
        return answer
    }

    /// Cuts whole DataRow messages into their three columns.
    static func rows(_ rows: [UInt8]) -> [[String]]? {
        let bytes = rows.span.bytes
        var found: [[String]] = []
        var position = 0
        while position < bytes.byteCount {
            guard case .frame(let header) = Framing.next(in: bytes, at: position),
                position + header.length <= bytes.byteCount
            else { return nil }
            let body = bytes.extracting(
                (position + Framing.headerSize)..<(position + header.length))
            position += header.length
            guard let columns = columns(body) else { return nil }
            found.append(columns)
        }
        return found
    }

    private static func columns(_ body: RawSpan) -> [String]? {
        var reader = WireReader(body)
        do throws(WireError) {
            guard try reader.readUInt16() == 3 else { return nil }
            var columns: [String] = []
            for _ in 0..<3 {
                guard let value = try reader.readValue() else {
                    columns.append("")
                    continue
                }
                guard let text = body.text(value) else { return nil }
                columns.append(text)
            }
            return columns
        } catch {
            return nil
        }
    }

    static func decodeHexadecimal(_ text: String) -> String? {
        let digits = Array(text.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(digits.count / 2)
        for place in stride(from: 0, to: digits.count, by: 2) {
            guard let high = digit(digits[place]), let low = digit(digits[place + 1]) else { return nil }
            bytes.append(high << 4 | low)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }
}

/// What lives in a session beside its settings, and cannot be brought to another.
package struct KeptState: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Nothing. The general one, which `[]` means, is looked up by its protocol, which each new client would pay for.
    @inlinable package init() { rawValue = 0 }

    /// There is nothing.
    package var isEmpty: Bool { rawValue == 0 }

    /// Statements of SQL's `PREPARE`.
    package static let statements = KeptState(rawValue: 1)
    /// Cursors `WITH HOLD`.
    package static let cursors = KeptState(rawValue: 2)
    /// Channels of `LISTEN`.
    package static let channels = KeptState(rawValue: 4)
    /// Advisory locks of the session.
    package static let locks = KeptState(rawValue: 8)
    /// Temporary tables and what else there is in a temporary schema.
    package static let temporary = KeptState(rawValue: 16)

    /// Nobody could tell.
    package static let unknown = KeptState(rawValue: 32)

    /// Each of them that a server can be asked for, its name for people, and where a server shows it.
    package static let all: [(state: KeptState, name: String, source: String)] = [
        (.statements, "statements", "SELECT 1 FROM pg_catalog.pg_prepared_statements WHERE from_sql"),
        (.cursors, "cursors", "SELECT 1 FROM pg_catalog.pg_cursors WHERE is_holdable"),
        (.channels, "channels", "SELECT 1 FROM pg_catalog.pg_listening_channels()"),
        (
            .locks, "locks",
            "SELECT 1 FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory'"
                + " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
        ),
        (
            .temporary, "temporary tables",
            ["class WHERE rel", "proc WHERE pro", "type WHERE typ"].map {
                "SELECT 1 FROM pg_catalog.pg_\($0)namespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()"
            }.joined(separator: " UNION ALL ")
        ),
    ]

    /// Their names, for people.
    package var description: String {
        (Self.all.filter { contains($0.state) }.map(\.name)
            + (contains(.unknown) ? ["what could not be found out"] : []))
            .joined(separator: ", ")
    }
}
