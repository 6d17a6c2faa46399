// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW ACTIVE_SOCKETS`: those connections of `SHOW SOCKETS` in which bytes wait.
struct ShowActiveSockets: ConsoleCommand {
    static let name = "SHOW ACTIVE_SOCKETS"

    static func parse(_ words: [ConsoleWord]) -> ShowActiveSockets? {
        words.spell("show", "active_sockets") ? ShowActiveSockets() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleSocket.socketColumns

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.list(.activeSockets)) }

    static func rows(_ found: ConsoleConnections) -> [[String?]] {
        (found.clients + found.servers).filter { socket in
            socket.waitingBytes.map { $0.read > 0 || $0.unsent > 0 } ?? false
        }.map(\.socketRow)
    }
}
