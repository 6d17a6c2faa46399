// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `SHUTDOWN`: ends the pooler at once, or when clients have finished their transactions.
struct Shutdown: ConsoleCommand {
    static let name = "SHUTDOWN"
    static let usage = "SHUTDOWN [WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS]"

    let isGraceful: Bool

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Shutdown? {
        guard words[0].isKeyword("shutdown") else { return nil }
        if words.count == 1 { return Shutdown(isGraceful: false) }
        if words.count == 2, words[1].isKeyword("wait_for_servers") || words[1].isKeyword("wait_for_clients")
        {
            return Shutdown(isGraceful: true)
        }
        throw ConsoleError(
            .syntaxError, "expected nothing, WAIT_FOR_SERVERS or WAIT_FOR_CLIENTS behind SHUTDOWN")
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.shutdown(isGraceful: isGraceful)) }
}
