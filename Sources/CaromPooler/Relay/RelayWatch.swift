// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import CaromReactor

/// Keeps the time of a relay whose route limits some: the shell around `TimeWatch`. Relays without limits have none.
///
/// Each event moves the deadline, which is a store; the timer is looked at again when it falls due.
final class RelayWatch {
    // Unowned: the relay holds its watch.
    private unowned(unsafe) let relay: Relay
    private let reactor: Reactor
    private let counters: Counters
    @exclusivity(unchecked) private var watch: TimeWatch
    @exclusivity(unchecked) private var timer: ReactorTimer?

    /// What the loop says when it calls the relay because the time is over.
    static let token = 5

    private init(_ relay: Relay, _ limits: TimeLimits, _ counters: Counters, on reactor: Reactor) {
        self.relay = relay
        self.reactor = reactor
        self.counters = counters
        watch = TimeWatch(limits, at: reactor.turnTime)
        timer = reactor.makeTimer(relay, token: Self.token)
    }

    /// Keeps the time of a relay from now on, if there is anything to keep.
    ///
    /// - Parameter present: what has kept it until now.
    static func keeping(
        _ present: RelayWatch?, _ limits: TimeLimits?, _ relay: Relay, _ counters: Counters,
        on reactor: Reactor
    ) -> RelayWatch? {
        if let present {
            present.watch.use(limits ?? .standard)
            return present
        }
        return limits.map { RelayWatch(relay, $0, counters, on: reactor) }
    }

    /// Hands an event to the relay, and notes what came of it.
    func handle(_ token: Int) {
        let before = counters.progress
        var events: TimeWatch.Events = token == ClientLeg.Token.client ? .spoken : []
        if token == Self.token { look() } else { relay.work(token) }
        guard let timer else { return }
        let after = counters.progress
        if after.queries != before.queries { events.insert(.answered) }
        if after.transactions != before.transactions { events.insert(.ended) }
        watch.note(relay.activity, events, at: reactor.turnTime)
        reactor.arm(timer, at: watch.deadline)
    }

    /// The time may be over.
    private func look() {
        guard let excess = watch.excess(at: reactor.turnTime) else { return }
        watch.didTell()
        let fields = excess.message(watch.limit(of: excess), of: relay.route.name)
        if excess != .wait {
            counters.count(excess.event)
            if let error = SessionError(excess) { relay.session.count(error) }
            return relay.end(.refused(fields))
        }
        var notice: [UInt8] = []
        fields.encode(asNotice: true, into: &notice)
        if relay.notify(notice) { counters.count(excess.event) }
    }

    /// The relay is over.
    func end() {
        if let timer { reactor.disarm(timer) }
        // It holds on to the relay.
        timer = nil
    }
}
