// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// Poolers that this one passes cancels on to.
struct ShowPeers: ConsoleCommand {
    static let name = "SHOW PEERS"

    static func parse(_ words: [ConsoleWord]) -> ShowPeers? {
        words.spell("show", "peers") ? ShowPeers() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.integer, ["peer_id"]),
        (.text, ["host"]),
        (.integer, ["port", "pool_size"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(
            context.peers.map(\.settings).map { peer in
                [peer.name, peer.host, "\(peer.port)", "\(peer.poolSize)"]
            })
    }
}
