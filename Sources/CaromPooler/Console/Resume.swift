// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `RESUME`: what `PAUSE`, `SUSPEND` or `KILL` has made wait goes on.
struct Resume: ConsoleCommand {
    static let name = "RESUME"
    static let usage = "RESUME [database]"

    let database: String?

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Resume? {
        guard let database = try DatabaseAction.resume.parse(words) else { return nil }
        return Resume(database: database)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.database(.resume, database)) }
}
