// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if Metrics
    public import Metrics
    import Synchronization

    /// Feeds a pool's numbers to swift-metrics, without a part in claims that do not wait. Every metric has the dimension
    /// `pool`.
    ///
    /// Once an interval. Gauges: `carom_idle`, `carom_lent`, `carom_waiting`, and by `backend` `carom_size`, its connections in
    /// every state. Counters: `carom_claims`, `carom_connects`, `carom_connect_failures`, `carom_check_failures`,
    /// `carom_recycle_failures`, `carom_closes`, `carom_forgotten`, `carom_revoked`, and, in seconds, `carom_hold_seconds`, for
    /// how long connections were lent.
    ///
    /// At once: counter `carom_claim_failures` by `code`; timer `carom_claim_wait` of each claim that waited; recorder
    /// `carom_queue_length`, how many wait, the newcomer included, each time a claim begins to wait.
    public final class PoolMetrics: PoolObserver {
        private struct Last {
            var totals = PoolStats.Totals()
            var sizes: [BackendID: Gauge] = [:]
        }

        /// How often gauges and counters are fed.
        public let samplingInterval: Duration?
        private let pool: String
        private let factory: any MetricsFactory
        private let counters: [(counter: Counter, total: any KeyPath<PoolStats.Totals, UInt64> & Sendable)]
        private let hold: FloatingPointCounter
        private let wait: Timer
        private let queueLength: Recorder
        private let idle: Gauge
        private let lent: Gauge
        private let waiting: Gauge
        private let last = Mutex(Last())

        /// Metrics of the pool of this name, made by a factory (the bootstrapped one by default).
        public init(
            pool: String, factory: any MetricsFactory = MetricsSystem.factory,
            every interval: Duration = .seconds(1)
        ) {
            let dimensions = [("pool", pool)]
            func counter(_ label: String) -> Counter {
                Counter(label: label, dimensions: dimensions, factory: factory)
            }
            self.pool = pool
            self.factory = factory
            samplingInterval = interval
            counters = [
                (counter("carom_claims"), \.claims),
                (counter("carom_connects"), \.connects),
                (counter("carom_connect_failures"), \.connectFailures),
                (counter("carom_check_failures"), \.checkFailures),
                (counter("carom_recycle_failures"), \.recycleFailures),
                (counter("carom_closes"), \.closes),
                (counter("carom_forgotten"), \.forgotten),
                (counter("carom_revoked"), \.revocations),
            ]
            hold = FloatingPointCounter(label: "carom_hold_seconds", dimensions: dimensions, factory: factory)
            wait = Timer(label: "carom_claim_wait", dimensions: dimensions, factory: factory)
            queueLength = Recorder(label: "carom_queue_length", dimensions: dimensions, factory: factory)
            idle = Gauge(label: "carom_idle", dimensions: dimensions, factory: factory)
            lent = Gauge(label: "carom_lent", dimensions: dimensions, factory: factory)
            waiting = Gauge(label: "carom_waiting", dimensions: dimensions, factory: factory)
        }

        /// False: they are counted from time to time.
        public var observesClaims: Bool { false }

        /// Feeds the gauges, and the counters with what has happened since the last time.
        public func sample(_ stats: PoolStats) {
            idle.record(stats.idle)
            lent.record(stats.claimed)
            waiting.record(stats.waiting)
            last.withLock { last in
                for (counter, total) in counters {
                    let more = stats.totals[keyPath: total] - last.totals[keyPath: total]
                    if more > 0 { counter.increment(by: more) }
                }
                let held = stats.totals.holdNanoseconds &- last.totals.holdNanoseconds
                if held > 0 { hold.increment(by: Double(held) / 1e9) }
                last.totals = stats.totals
                record(stats.backends, &last.sizes)
            }
        }

        private func record(_ backends: [PoolStats.BackendStats], _ sizes: inout [BackendID: Gauge]) {
            for backend in backends {
                let id = backend.backend.id
                let gauge =
                    sizes[id]
                    ?? Gauge(
                        label: "carom_size", dimensions: [("pool", pool), ("backend", id.description)],
                        factory: factory)
                sizes[id] = gauge
                gauge.record(
                    backend.connecting + backend.idle + backend.acquiring + backend.claimed + backend.checking
                        + backend.recycling + backend.closing)
            }
            if sizes.count == backends.count { return }
            let present = Set(backends.map(\.backend.id))
            for (id, gauge) in sizes where !present.contains(id) {
                gauge.record(0)
                gauge.destroy()
                sizes[id] = nil
            }
        }

        /// Counts what fails and times what waits.
        public func observe(_ event: PoolEvent) {
            switch event {
            case .claimQueued(_, let waiting): queueLength.record(waiting)
            case .claimed(_, _, let waited):
                if waited > .zero { wait.recordNanoseconds(waited.inNanoseconds) }
            case .claimFailed(_, let code, let waited):
                let dimensions = [("pool", pool), ("code", code.description)]
                Counter(label: "carom_claim_failures", dimensions: dimensions, factory: factory).increment()
                if waited > .zero { wait.recordNanoseconds(waited.inNanoseconds) }
            default: return
            }
        }
    }
#endif
