// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration

/// Cancels that are under way to other poolers.
struct ShowPeerPools: ConsoleCommand {
    static let name = "SHOW PEER_POOLS"

    static func parse(_ words: [ConsoleWord]) -> ShowPeerPools? {
        words.spell("show", "peer_pools") ? ShowPeerPools() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (
            .integer,
            ["peer_id", "cl_active_cancel_req", "cl_waiting_cancel_req", "sv_active_cancel", "sv_login"]
        ))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(
            context.peers.map { peer in
                let load = peer.load
                let numbers = [load.sent, load.waiting + load.connecting, load.sent, load.connecting]
                return [peer.settings.name] + numbers.map { "\($0)" }
            })
    }
}
