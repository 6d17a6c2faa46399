// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `KILL`: ends clients and servers at once, and leaves the database paused.
struct Kill: ConsoleCommand {
    static let name = "KILL"
    static let usage = "KILL [database]"

    let database: String?

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Kill? {
        guard let database = try DatabaseAction.kill.parse(words) else { return nil }
        return Kill(database: database)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.database(.kill, database)) }
}
