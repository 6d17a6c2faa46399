// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW CLIENTS`: each client that has logged in, the console's included.
struct ShowClients: ConsoleCommand {
    static let name = "SHOW CLIENTS"

    static func parse(_ words: [ConsoleWord]) -> ShowClients? {
        words.spell("show", "clients") ? ShowClients() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleSocket.columns

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.list(.clients)) }

    static func rows(_ found: ConsoleConnections) -> [[String?]] {
        found.clients.filter { $0.state != ConsoleClient.State.login.rawValue }.map(\.row)
    }
}
