// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why something with a PostgreSQL server did not work.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it was; for programs.
    @nonexhaustive
    public enum Code: Sendable, Hashable {
        /// No connection could be made, or it broke.
        case connection
        /// This process or this machine has no descriptor, port or memory left for another connection: nothing that the
        /// server could help.
        case resources
        /// TLS with the server did not come about: it has none, or one of the two certificates was refused.
        case encryption
        /// The server did not answer in time.
        case timedOut
        /// The task was cancelled while it waited for the server.
        case cancelled
        /// The server sent what the protocol does not allow at this point.
        case protocolViolation
        /// The server refused the login, or asks for a method that is not supported.
        case authentication
        /// The server answered with an error; see ``PostgresError/sqlState``.
        case server
        /// The connection has something else to do: another task's query, or what is left of an abandoned one.
        case busy
        /// What was asked for cannot be sent; nothing was.
        case invalidRequest
        /// The result is larger than was allowed for it.
        case tooLarge
        /// A value is not of the type it was to be read as.
        case decoding
    }

    /// What kind of failure it was.
    public let code: Code
    /// One sentence for people, without secrets.
    public let message: String
    /// The server's five-character code (PostgreSQL manual, appendix A), when it sent one.
    public let sqlState: String?
    /// The server's DETAIL, when it sent one.
    public let detail: String?
    /// The server's HINT, when it sent one.
    public let hint: String?
    /// The constraint that was violated, when the server names one.
    public let constraint: String?

    /// An error of the given kind.
    public init(
        _ code: Code, _ message: String, sqlState: String? = nil, detail: String? = nil, hint: String? = nil,
        constraint: String? = nil
    ) {
        self.code = code
        self.message = message
        self.sqlState = sqlState
        self.detail = detail
        self.hint = hint
        self.constraint = constraint
    }

    /// The same transaction may succeed when it is tried again: it stood in the way of others (SQLSTATE 40001 and 40P01).
    public var isWorthAnotherTry: Bool { sqlState == "40001" || sqlState == "40P01" }

    /// The message, with the server's code in parentheses when there is one.
    public var description: String {
        guard let sqlState else { return message }
        return "\(message) (SQLSTATE \(sqlState))"
    }
}
