// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW SOCKETS`: the connections of both sides, with the bytes that wait in them.
struct ShowSockets: ConsoleCommand {
    static let name = "SHOW SOCKETS"

    static func parse(_ words: [ConsoleWord]) -> ShowSockets? {
        words.spell("show", "sockets") ? ShowSockets() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleSocket.socketColumns

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.list(.sockets)) }

    static func rows(_ found: ConsoleConnections) -> [[String?]] {
        (found.clients + found.servers).map(\.socketRow)
    }
}
