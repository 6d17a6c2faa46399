// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor

/// What `SUSPEND` does to a worker's clients: everybody gets what was sent before, and nothing more is read from clients and servers until it
/// ends. On the worker's thread.
final class Suspension: EventHandler {
    // Unowned: the worker holds it.
    private unowned let worker: Worker
    /// Who has not taken everything by then is cut off.
    private let deadline: Deadline
    /// Told once.
    private var flushed: (() -> Void)?
    private var timer: ReactorTimer?

    /// Bytes go out by events; this only finds out when the last have. Nobody misses these milliseconds.
    private static let interval = Duration.milliseconds(20)

    init(_ worker: Worker, until deadline: Deadline, _ flushed: @escaping () -> Void) {
        self.worker = worker
        self.deadline = deadline
        self.flushed = flushed
    }

    /// Begins, now that the worker is suspended.
    func begin() {
        for relay in relays { obey(relay) }
        timer = worker.reactor.makeTimer(self)
        look()
    }

    /// Everything goes on, now that the worker is not suspended.
    func end() {
        finish()
        for session in worker.sessions {
            if let relay = session.stage as? Relay { obey(relay) }
            (session.stage as? HeldArrival)?.goOn()
        }
    }

    func handle(_ token: Int) { look() }

    private var relays: [Relay] { worker.sessions.compactMap { $0.stage as? Relay } }

    /// The relay asks its worker, and keeps its limits.
    private func obey(_ relay: Relay) {
        let own = relay.route.definition
        let present = own.replication == .none ? worker.snapshot.definition(of: relay.route.key.pattern) : nil
        relay.limit(to: (present ?? own).limits)
    }

    private func look() {
        guard let timer else { return }
        let behind = relays.filter { !$0.report.isFlushed }
        if behind.isEmpty { return finish() }
        if deadline <= .now {
            for relay in behind {
                relay.end(.cutOff("suspend_timeout is over, and not everything was taken"))
            }
            return finish()
        }
        worker.reactor.arm(timer, at: min(deadline, .now + Self.interval))
    }

    private func finish() {
        if let timer { worker.reactor.disarm(timer) }
        // It holds on to this.
        timer = nil
        flushed?()
        flushed = nil
    }
}
