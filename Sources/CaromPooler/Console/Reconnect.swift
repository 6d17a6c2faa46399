// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `RECONNECT`: each server is closed as soon as nobody uses it; new ones take their places.
struct Reconnect: ConsoleCommand {
    static let name = "RECONNECT"
    static let usage = "RECONNECT [database]"

    let database: String?

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Reconnect? {
        guard let database = try DatabaseAction.reconnect.parse(words) else { return nil }
        return Reconnect(database: database)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.database(.reconnect, database)) }
}
