// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `SHUTDOWN`: ends the pooler at once, when clients have finished their transactions, or when they have left.
struct Shutdown: ConsoleCommand {
    static let name = "SHUTDOWN"
    static let usage = "SHUTDOWN [WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS]"

    let mode: ShutdownMode

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Shutdown? {
        guard words[0].isKeyword("shutdown") else { return nil }
        if words.count == 1 { return Shutdown(mode: .atOnce) }
        if words.count == 2, words[1].isKeyword("wait_for_servers") {
            return Shutdown(mode: .afterTransactions)
        }
        if words.count == 2, words[1].isKeyword("wait_for_clients") { return Shutdown(mode: .afterClients) }
        throw ConsoleError(
            .syntaxError, "expected nothing, WAIT_FOR_SERVERS or WAIT_FOR_CLIENTS behind SHUTDOWN")
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.shutdown(mode)) }
}
