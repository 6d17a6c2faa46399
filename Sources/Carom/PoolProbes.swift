// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if Probes
    import CCaromProbes

    /// Tells tracers what a pool does, by the static probes of provider `carom`. Where no tracer looks an event costs a comparison.
    struct PoolProbes: PoolObserver {
        let pool: String

        /// Claims that do not wait have probes of their own: see `PoolEngine.probeClaim(_:)`.
        var observesClaims: Bool { false }

        /// They are put together while a tracer looks: see `PoolEngine.claim(_:timeout:handle:cell:)`.
        var observesWaits: Bool { false }

        static var watchesClaims: Bool { carom_watches_claim() }
        static var watchesReturns: Bool { carom_watches_returned() }

        func claimed(_ slot: SlotID, _ backend: BackendID, waited: Duration) {
            carom_probe_claim(pool, backend.description, slot.packed, UInt64(waited.inNanoseconds))
        }

        func returned(_ slot: SlotID, _ backend: BackendID) {
            carom_probe_returned(pool, backend.description, slot.packed)
        }

        func resolved(_ set: BackendSet) {
            if carom_watches_resolved() { carom_probe_resolved(pool, UInt64(set.backends.count)) }
        }

        func observe(_ event: PoolEvent) {
            switch event {
            case .claimed(let slot, let backend, let waited):
                if Self.watchesClaims { claimed(slot, backend, waited: waited) }
            case .claimFailed(_, let code, let waited):
                if carom_watches_claim_failed() {
                    carom_probe_claim_failed(pool, code.description, UInt64(waited.inNanoseconds))
                }
            case .recycleStarted(let slot):
                if carom_watches_recycle() { carom_probe_recycle(pool, slot.packed) }
            case .recycleDone(let slot):
                if carom_watches_recycled() { carom_probe_recycled(pool, slot.packed) }
            case .recycleFailed(let slot, let reason):
                if carom_watches_recycle_failed() { carom_probe_recycle_failed(pool, slot.packed, reason) }
            default: observeBackends(event)
            }
        }

        private func observeBackends(_ event: PoolEvent) {
            switch event {
            case .connectStarted(let slot, let backend, let attempt):
                if carom_watches_connect() {
                    carom_probe_connect(pool, backend.description, slot.packed, UInt64(attempt))
                }
            case .connected(let slot, let backend):
                if carom_watches_connected() { carom_probe_connected(pool, backend.description, slot.packed) }
            case .connectFailed(let slot, let backend, _, let reason, _):
                if carom_watches_connect_failed() {
                    carom_probe_connect_failed(pool, backend.description, slot.packed, reason)
                }
            case .closing(let slot, let backend, let reason):
                if carom_watches_close() {
                    carom_probe_close(pool, backend.description, slot.packed, reason.rawValue)
                }
            case .backendAdded(let backend):
                if carom_watches_backend_added() { carom_probe_backend_added(pool, backend.description) }
            case .backendRemoved(let backend):
                if carom_watches_backend_removed() { carom_probe_backend_removed(pool, backend.description) }
            case .backendState(let backend, let before, let now):
                if carom_watches_backend_state() {
                    carom_probe_backend_state(pool, backend.description, "\(before)", "\(now)")
                }
            default: return
            }
        }
    }

    extension SlotID {
        /// As one number, for tracers to find what belongs together.
        fileprivate var packed: UInt64 { UInt64(generation) << 32 | UInt64(index) }
    }
#endif
