// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A statement whose values cannot become part of its text.
///
/// In a string literal `\(value)` stands for a parameter, which goes to the server beside the text:
///
/// ```swift
/// try await connection.query("select id from notes where author = \(author) limit \(20)")
/// ```
///
/// What is text and not a value has a name: `\(identifier: column)` is quoted, `\(raw: sql)` is taken as it is, and must never
/// come from outside. A query in a query brings its own parameters along.
public struct PostgresQuery: Hashable, Sendable {
    enum Piece: Hashable, Sendable {
        case text(String)
        case value(PostgresParameter)
    }
    private var pieces: [Piece] = []

    /// A text as it is, with values for `$1`, `$2` and so on. It must not be put together from what comes from outside.
    public init(sql: String, _ parameters: [PostgresParameter] = []) {
        pieces = [.text(sql)]
        given = parameters
    }

    /// Values for what the text itself numbers.
    private var given: [PostgresParameter] = []

    init(pieces: [Piece]) { self.pieces = pieces }

    /// The values, in the order of their numbers.
    public var parameters: [PostgresParameter] {
        given + pieces.compactMap { if case .value(let value) = $0 { value } else { nil } }
    }

    /// The text, with numbers in the place of values.
    public var sql: String {
        var sql = ""
        var number = given.count
        var endsWithNumber = false
        for piece in pieces {
            switch piece {
            case .text(let text):
                if text.isEmpty { continue }
                if endsWithNumber, Self.mayBelongToAWord(text.utf8.first) { sql += " " }
                sql += text
                endsWithNumber = false
            case .value:
                number += 1
                // A number must not grow together with what stands before or behind it: $1 and 2 would be $12.
                if Self.mayBelongToAWord(sql.utf8.last) { sql += " " }
                sql += "$\(number)"
                endsWithNumber = true
            }
        }
        return sql
    }

    private static func mayBelongToAWord(_ byte: UInt8?) -> Bool {
        guard let byte else { return false }
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"), UInt8(ascii: "$"), 0x80...:
            return true
        default: return false
        }
    }
}

extension PostgresQuery: ExpressibleByStringInterpolation {
    /// A statement without values.
    public init(stringLiteral sql: String) { self.init(sql: sql) }

    /// A statement with values in it.
    public init(stringInterpolation interpolation: StringInterpolation) {
        self.init(pieces: interpolation.pieces)
    }

    /// Collects text and values apart from each other.
    public struct StringInterpolation: StringInterpolationProtocol, Sendable {
        var pieces: [Piece] = []

        /// For the compiler.
        public init(literalCapacity: Int, interpolationCount: Int) {
            pieces.reserveCapacity(2 * interpolationCount + 1)
        }

        /// Text of the program's.
        public mutating func appendLiteral(_ text: String) { pieces.append(.text(text)) }

        /// A value.
        public mutating func appendInterpolation(_ value: some PostgresEncodable) {
            pieces.append(.value(value.postgresParameter))
        }

        /// A value, with the type that the server shall take it for, such as `\(id, as: "uuid")`. The type is text of the
        /// program's.
        public mutating func appendInterpolation(_ value: some PostgresEncodable, as type: StaticString) {
            pieces.append(.value(value.postgresParameter))
            pieces.append(.text("::\(type)"))
        }

        /// A name, such as a table's: quoted, so that it is one name whatever is in it.
        public mutating func appendInterpolation(identifier name: String) {
            pieces.append(
                .text(
                    "\"\(name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\""
                ))
        }

        /// Text that is taken as it is.
        public mutating func appendInterpolation(raw sql: String) { pieces.append(.text(sql)) }

        /// Another query, with its values.
        public mutating func appendInterpolation(_ query: PostgresQuery) {
            precondition(
                query.given.isEmpty, "a query that numbers its values itself cannot be part of another")
            pieces += query.pieces
        }
    }
}
