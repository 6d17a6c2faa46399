// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import Synchronization

/// The poolers among which a cancel finds the one that has its client.
final class Peers: Sendable {
    private struct State {
        var own: PeerID?
        var others: [PeerID: Peer] = [:]
    }

    private let state = Mutex(State())

    /// These are configured now. Cancels that are under way to one that is not go on.
    func use(_ settings: Settings) {
        state.withLock { state in
            state.own = PeerID(settings.peerID)
            let known = state.others
            state.others = [:]
            for peer in settings.peers {
                guard let id = peer.id.flatMap(PeerID.init) else { continue }
                let same = known[id].flatMap { $0.settings == peer ? $0 : nil }
                state.others[id] = same ?? Peer(peer)
            }
        }
    }

    /// What this pooler is known by; nil if it is none of several.
    var own: PeerID? { state.withLock { $0.own } }

    /// All that are configured, by their numbers.
    var all: [Peer] {
        state.withLock { $0.others.sorted { $0.key.number < $1.key.number }.map(\.value) }
    }

    /// The peer that has made a key; nil if it is this pooler's, or nobody's.
    func maker(of request: CancelRequest) -> Peer? {
        state.withLock { state in
            guard let own = state.own, let id = PeerID(of: request.processID), id != own else { return nil }
            return state.others[id]
        }
    }
}
