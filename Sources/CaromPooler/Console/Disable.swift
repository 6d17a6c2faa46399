// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `DISABLE`: new clients of the database are refused.
struct Disable: ConsoleCommand {
    static let name = "DISABLE"
    static let usage = "DISABLE database"

    let database: String

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Disable? {
        guard let database = try DatabaseAction.disable.parse(words) else { return nil }
        guard let database else { throw ConsoleError(.syntaxError, "a database is required") }
        return Disable(database: database)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.database(.disable, database)) }
}
