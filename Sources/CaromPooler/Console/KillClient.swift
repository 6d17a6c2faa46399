// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `KILL_CLIENT id`: ends a client, by its `id` in `SHOW CLIENTS`.
struct KillClient: ConsoleCommand {
    static let name = "KILL_CLIENT"
    static let usage = "KILL_CLIENT id"

    let id: Int

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> KillClient? {
        guard words[0].isKeyword("kill_client") else { return nil }
        guard words.count == 2, let id = Int(words[1].text) else {
            throw ConsoleError(
                .syntaxError, "expected a number behind KILL_CLIENT", hint: "SHOW CLIENTS has it as id")
        }
        return KillClient(id: id)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.kill(client: id)) }
}
