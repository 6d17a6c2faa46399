// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW SERVERS`: each connection to a server.
struct ShowServers: ConsoleCommand {
    static let name = "SHOW SERVERS"

    static func parse(_ words: [ConsoleWord]) -> ShowServers? {
        words.spell("show", "servers") ? ShowServers() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleSocket.columns

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.list(.servers)) }

    static func rows(_ found: ConsoleConnections) -> [[String?]] { found.servers.map(\.row) }
}
