// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import CaromReactor

/// Keeps the time of a relay whose route limits some: the shell around `TimeWatch`. Relays without limits have none, but while their worker
/// is suspended: then it is where their events end.
///
/// Each event moves the deadline, which is a store; the timer is looked at again when it falls due.
final class RelayWatch {
    // Unowned: the relay holds its watch.
    private unowned(unsafe) let relay: Relay
    private let reactor: Reactor
    private let counters: Counters
    @exclusivity(unchecked) private var watch: TimeWatch
    @exclusivity(unchecked) private var timer: ReactorTimer?
    /// Nothing is read (`SUSPEND`).
    private var isHeld: Bool
    /// What the loop has said meanwhile, a bit for each token.
    private var missed: UInt8 = 0

    /// What the loop says when it calls the relay because the time is over.
    static let token = 5

    private init(_ relay: Relay, _ limits: TimeLimits, _ counters: Counters, on reactor: Reactor) {
        self.relay = relay
        self.reactor = reactor
        self.counters = counters
        isHeld = relay.session.worker.isSuspended
        watch = TimeWatch(limits, at: reactor.turnTime)
        timer = reactor.makeTimer(relay, token: Self.token)
    }

    /// Keeps the time of a relay from now on, if there is anything to keep, and its events while its worker is suspended.
    ///
    /// - Parameter present: what has kept it until now.
    static func keeping(
        _ present: RelayWatch?, _ limits: TimeLimits?, _ relay: Relay, _ counters: Counters,
        on reactor: Reactor
    ) -> RelayWatch? {
        let isSuspended = relay.session.worker.isSuspended
        guard let present else {
            guard limits != nil || isSuspended else { return nil }
            return RelayWatch(relay, limits ?? .standard, counters, on: reactor)
        }
        present.watch.use(limits ?? .standard)
        if present.isHeld, !isSuspended {
            present.letGo()
            if limits == nil {
                present.end()
                return nil
            }
        }
        present.isHeld = isSuspended
        return present
    }

    /// Hands an event to the relay, and notes what came of it.
    func handle(_ token: Int) {
        if isHeld { return hold(token) }
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

    /// Both sides get what they were sent before, and what else there is to do waits.
    private func hold(_ token: Int) {
        missed |= 1 << UInt8(token)
        do throws(SessionEnd) { _ = try relay.flush() } catch { relay.end(error) }
    }

    /// Has the loop say again what it has said. A look is worth it in any case: a server may have been delivered.
    private func letGo() {
        missed |= 1 << UInt8(ServerLeg.Token.signal)
        for token in 0...Self.token where missed & 1 << UInt8(token) != 0 {
            reactor.again(relay, token: token)
        }
        missed = 0
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
