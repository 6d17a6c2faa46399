// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW CHANNELS`: what clients listen to while their servers are pooled (`pool_listen`), and where that is heard.
struct ShowChannels: ConsoleCommand {
    static let name = "SHOW CHANNELS"

    static func parse(_ words: [ConsoleWord]) -> ShowChannels? {
        words.spell("show", "channels") ? ShowChannels() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["database", "user", "channel"]), (.integer, ["listeners"]), (.bigInteger, ["messages"]),
        (.text, ["server"]), (.integer, ["losses"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(
            context.statistics.routes.flatMap { route in
                route.channels.channels.map { channel in
                    [
                        route.database, route.user, channel.name, "\(channel.listeners)",
                        "\(channel.messages)",
                        route.channels.server, "\(route.channels.losses)",
                    ]
                }
            })
    }
}
