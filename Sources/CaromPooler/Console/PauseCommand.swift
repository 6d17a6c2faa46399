// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `PAUSE`: no transaction begins any more, and the answer comes when all servers are closed.
struct PauseCommand: ConsoleCommand {
    static let name = "PAUSE"
    static let usage = "PAUSE [database]"

    let database: String?

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> PauseCommand? {
        guard let database = try DatabaseAction.pause.parse(words) else { return nil }
        return PauseCommand(database: database)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.database(.pause, database)) }
}
