// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if Metrics
    public import Metrics

    /// Feeds a pool's events to swift-metrics. Every metric has one dimension, the pool's name.
    ///
    /// Counters: `carom_claims`, `carom_claim_failures` (by `code`), `carom_connects`, `carom_connect_failures`,
    /// `carom_check_failures`, `carom_recycle_failures`, `carom_closes`, `carom_forgotten`, `carom_revoked`.
    /// Timers: `carom_claim_wait`, `carom_hold`. Recorder: `carom_queue_length`, how many wait, the newcomer included,
    /// each time a claim begins to wait.
    public struct PoolMetrics: PoolObserver {
        private let pool: String
        private let factory: any MetricsFactory
        private let claims: Counter
        private let connects: Counter
        private let connectFailures: Counter
        private let checkFailures: Counter
        private let recycleFailures: Counter
        private let closes: Counter
        private let forgotten: Counter
        private let revoked: Counter
        private let wait: Timer
        private let hold: Timer
        private let queueLength: Recorder

        /// Metrics of the pool of this name, made by a factory (the bootstrapped one by default).
        public init(pool: String, factory: any MetricsFactory = MetricsSystem.factory) {
            let dimensions = [("pool", pool)]
            func counter(_ label: String) -> Counter {
                Counter(label: label, dimensions: dimensions, factory: factory)
            }
            self.pool = pool
            self.factory = factory
            claims = counter("carom_claims")
            connects = counter("carom_connects")
            connectFailures = counter("carom_connect_failures")
            checkFailures = counter("carom_check_failures")
            recycleFailures = counter("carom_recycle_failures")
            closes = counter("carom_closes")
            forgotten = counter("carom_forgotten")
            revoked = counter("carom_revoked")
            wait = Timer(label: "carom_claim_wait", dimensions: dimensions, factory: factory)
            hold = Timer(label: "carom_hold", dimensions: dimensions, factory: factory)
            queueLength = Recorder(label: "carom_queue_length", dimensions: dimensions, factory: factory)
        }

        /// Counts and times what there is to count and time.
        public func observe(_ event: PoolEvent) {
            switch event {
            case .claimQueued(_, let waiting): queueLength.record(waiting)
            case .claimed(_, _, let waited):
                claims.increment()
                wait.recordNanoseconds(waited.inNanoseconds)
            case .claimFailed(_, let code, let waited):
                let dimensions = [("pool", pool), ("code", code.description)]
                Counter(label: "carom_claim_failures", dimensions: dimensions, factory: factory).increment()
                wait.recordNanoseconds(waited.inNanoseconds)
            case .returned(_, let held): hold.recordNanoseconds(held.inNanoseconds)
            case .forgotten: forgotten.increment()
            case .revoked: revoked.increment()
            case .connectStarted: connects.increment()
            case .connectFailed: connectFailures.increment()
            case .checkFailed: checkFailures.increment()
            case .recycleFailed: recycleFailures.increment()
            case .closed, .closeAbandoned: closes.increment()
            case .claimCancelled, .acquireStarted, .acquireDone, .acquireFailed, .overdue, .overdueReturned,
                .connected, .connectedTooLate, .checkStarted, .checkDone, .recycleStarted, .recycleDone,
                .closing, .closeOverdue, .backendAdded, .backendRemoved, .backendState, .planned, .state,
                .policyChanged:
                return
            }
        }
    }
#endif
