// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `ENABLE`: new clients of the database are let in again.
struct Enable: ConsoleCommand {
    static let name = "ENABLE"
    static let usage = "ENABLE database"

    let database: String

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Enable? {
        guard let database = try DatabaseAction.enable.parse(words) else { return nil }
        guard let database else { throw ConsoleError(.syntaxError, "a database is required") }
        return Enable(database: database)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.database(.enable, database)) }
}
