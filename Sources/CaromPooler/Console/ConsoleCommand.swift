// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// A command of the console. A type and a file for each; ``ConsoleCommands/all`` lists them.
protocol ConsoleCommand: Sendable {
    /// What the command is called, in capitals, for `SHOW HELP`: `SHOW VERSION`.
    static var name: String { get }
    /// The command with its arguments, for `SHOW HELP`; its name when it has none.
    static var usage: String { get }

    /// Whether it is for `admin_users` alone.
    static var needsAdmin: Bool { get }

    /// The command, if the words are one of this type; nil leaves them to the other types.
    ///
    /// - Parameter words: one statement, not empty.
    /// - Throws: what is wrong with the arguments, when the words are meant for this type but cannot be obeyed.
    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Self?

    /// The columns of its table, known before it runs because clients ask for them first; nil for a command without one.
    var columns: [ConsoleColumn]? { get }

    /// Carries it out. Called on the thread of the client's worker, so it must not block.
    func run(_ context: ConsoleContext) -> ConsoleResult
}

extension ConsoleCommand {
    static var usage: String { name }
    /// Only tables are for everybody.
    static var needsAdmin: Bool { !name.hasPrefix("SHOW ") }
    var columns: [ConsoleColumn]? { nil }
}

/// What a command has to say.
enum ConsoleResult: Equatable, Sendable {
    /// One value for each of the command's columns, in each row; nil is SQL null.
    case table([[String?]])
    /// Done; the tag tells what. The notice, if there is one, goes before it.
    case done(tag: String, notice: ConsoleNotice? = nil)
    /// It could not be done.
    case failed(ConsoleError)
    /// Done elsewhere; what comes of that is the result. Never the result of a job itself.
    case wait(ConsoleJob)
}

/// A message for people that is no error.
struct ConsoleNotice: Equatable, Sendable {
    let message: String
    var detail: String?

    var fields: ErrorFields {
        ErrorFields(severity: .notice, code: .successfulCompletion, message: message, detail: detail)
    }
}

/// Why a statement was refused. The client stays.
struct ConsoleError: Error, Equatable, Sendable {
    let code: SQLState
    let message: String
    let hint: String?

    init(_ code: SQLState, _ message: String, hint: String? = nil) {
        self.code = code
        self.message = message
        self.hint = hint
    }

    var fields: ErrorFields { ErrorFields(severity: .error, code: code, message: message, hint: hint) }
}
