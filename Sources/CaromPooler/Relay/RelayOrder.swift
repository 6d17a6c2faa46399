// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol

/// What a relay was told to do as soon as it can, because the pooler or its configuration changes.
enum RelayOrder {
    case none
    /// The pooler goes down: the session ends when it holds no server.
    case stop
    /// Routes are others than before: if the client's is gone the session ends, if it has other servers the client goes there.
    /// → `none`, `move`
    case look
    /// The client goes to other servers when it holds none. → `none`
    case move
    /// The client's server drains, and the time for that is over: the session ends when the server is in no transaction. One that has let
    /// go of it meanwhile stays. → `none`
    case leave
    /// The client is told what was said on channels when it is in no transaction. → `none`
    case hear
    /// The client goes on in another process when it holds no server. → `none` when that process is gone.
    case handOver

    /// Where the relay stands with its server.
    struct Position {
        let isAttached: Bool
        let isWaiting: Bool
        /// Its server, if it has one, is in no transaction and owes nothing.
        let isFree: Bool
        /// A stream goes both ways, which ends only when somebody ends it, and can go on elsewhere.
        let isStreaming: Bool
        /// The client has taken all that it was sent.
        let keepsUp: Bool
        /// Its server drains; asked only if that matters.
        var isDraining = false
    }

    /// Does what can be done now.
    ///
    /// - Returns: the route that the client goes to.
    /// - Throws: how the session ends.
    mutating func follow(_ position: Position, _ session: ClientSession, _ route: Route)
        throws(SessionEnd) -> Route?
    {
        // Nobody waits for a client for replication to leave by itself: that takes days.
        let isReplication = route.definition.replication != .none
        let isAtRest = isReplication && self == .stop && (position.isFree || position.isStreaming)
        guard isAtRest || isDue(position) else { return nil }
        if self == .stop { throw .shutdown }
        if self == .handOver {
            if session.worker.successor != nil { throw .handedOver }
            self = .none
            return nil
        }
        if self == .hear {
            self = .none
            return nil
        }
        if self == .leave {
            self = .none
            guard position.isAttached, position.isDraining else { return nil }
            throw .fatal(
                .adminShutdown, "terminating connection because its server is taken out of use",
                detail: "server_drain_timeout is over.")
        }
        let next = try session.successor(of: route)
        if next !== route, isReplication, !position.isAttached {
            throw .fatal(.adminShutdown, "terminating connection because its server is replaced")
        }
        if next !== route, position.isAttached, next.settings.hooks.fastClose == true {
            throw .fatal(
                .adminShutdown, "terminating connection because its server is replaced",
                detail: "server_fast_close is yes.")
        }
        self = next !== route && position.isAttached ? .move : .none
        return next === route || position.isAttached ? nil : next
    }

    /// Another order, in place of this one unless this one says more.
    mutating func accept(_ other: RelayOrder) {
        switch (self, other) {
        case (.stop, _), (.look, .leave), (.move, .leave): break
        // Whatever the order is, what was said is told on the way.
        case (.look, .hear), (.move, .hear), (.leave, .hear), (.handOver, .hear): break
        // One that says no more than where the client is to go is heard where it goes.
        case (.handOver, .none), (.handOver, .look), (.handOver, .move), (.handOver, .leave): break
        case (.none, _), (.hear, _), (.look, _), (.move, _), (.leave, _), (.handOver, _): self = other
        }
    }

    /// Whether now is the time.
    func isDue(_ position: Position) -> Bool {
        switch self {
        case .none: false
        case .stop, .handOver: !position.isAttached && !position.isWaiting && position.keepsUp
        case .look, .leave: !position.isAttached || position.isFree
        case .hear: position.keepsUp && (!position.isAttached || position.isFree)
        case .move: !position.isAttached
        }
    }
}
