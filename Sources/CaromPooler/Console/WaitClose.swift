// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `WAIT_CLOSE`: answers when the servers are closed that were to be, by `RECONNECT` or because their backend is gone.
struct WaitClose: ConsoleCommand {
    static let name = "WAIT_CLOSE"
    static let usage = "WAIT_CLOSE [database]"

    let database: String?

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> WaitClose? {
        guard let database = try DatabaseAction.waitClose.parse(words) else { return nil }
        return WaitClose(database: database)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.database(.waitClose, database)) }
}
