// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Asks a server, behind a transaction of its user's, what that has made of its channels, and has it listen to none.
///
/// `LISTEN` and `UNLISTEN` take effect when their transaction ends, and not if it is rolled back, or to a savepoint. Of a `LISTEN` the
/// server's own list tells. What an `UNLISTEN` stops may not be on that list; so a setting is set in front of it, which is taken back
/// with it.
package struct ChannelInquiry: Sendable {
    /// What the server said.
    package struct Answer: Equatable, Sendable {
        /// It listened to these.
        package var channels: Set<String> = []
        /// The marks that are still set.
        package var marks: Set<Int> = []

        package init(channels: Set<String> = [], marks: Set<Int> = []) {
            self.channels = channels
            self.marks = marks
        }
    }

    /// Sets a mark, for as long as what comes behind it in the same transaction lasts.
    package static func set(mark: Int) -> [UInt8] { Array("SET \(name(of: mark)) = 'set'".utf8) }

    private static func name(of mark: Int) -> String { "carom.unlisten_\(mark)" }

    /// The statements, to be sent one by one or together. The first has the rows. Afterwards the server listens to nothing, and no mark
    /// is set.
    ///
    /// - Parameter marks: that may be set: those below this number.
    package static func statements(marks: Int) -> [[UInt8]] {
        var query = "SELECT 'l','',\(hexadecimal("l.c")) FROM pg_catalog.pg_listening_channels() AS l(c)"
        var others: [String] = []
        for mark in 0..<marks {
            let name = name(of: mark)
            query +=
                " UNION ALL SELECT 'm','\(mark)',"
                + hexadecimal("pg_catalog.current_setting('\(name)',true)")
            others.append("RESET \(name)")
        }
        return ([query, "UNLISTEN *"] + others).map { Array($0.utf8) }
    }

    private static func hexadecimal(_ value: String) -> String { SessionInquiry.hexadecimal(value) }

    /// Reads the rows of the answer: whole DataRow messages, one behind the other.
    ///
    /// - Returns: nil for rows that the query does not give.
    package static func answer(_ rows: [UInt8]) -> Answer? {
        var answer = Answer()
        guard let rows = SessionInquiry.rows(rows) else { return nil }
        for columns in rows {
            guard let value = SessionInquiry.decodeHexadecimal(columns[2]) else { return nil }
            switch columns[0] {
            case "l": answer.channels.insert(value)
            case "m":
                guard let mark = Int(columns[1]) else { return nil }
                if value == "set" { answer.marks.insert(mark) }
            default: return nil
            }
        }
        return answer
    }
}
