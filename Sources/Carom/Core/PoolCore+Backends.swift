// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PoolCore {
    /// The resolver has spoken: this is the complete set.
    mutating func resolved(_ set: BackendSet, now: Int64) {
        if isStopping { return }
        var named: Set<Int> = []
        for backend in set.backends {
            if let index = known[backend.id] {
                if update(index, backend) { needsPlan = true }
                named.insert(index)
            } else {
                named.insert(add(backend))
                needsPlan = true
            }
        }
        let gone = order.filter { !named.contains($0) }
        if !gone.isEmpty {
            order.removeAll { !named.contains($0) }
            needsPlan = true
            for backend in gone { remove(backend, now: now) }
        }
        if watchAt == .never, isWatching { watchAt = now.after(policy.watchInterval) }
        settle(now)
    }

    private mutating func add(_ backend: Backend) -> Int {
        var record = BackendRecord(
            backend, window: FailureWindow(length: policy.maxBackoff.after(policy.maxBackoff)),
            churn: TokenBucket(perSecond: policy.source.churnRate, burst: policy.source.churnBurst))
        record.pass = order.map { backends[$0].pass }.min() ?? 0
        record.isFarAway = isFarAway(backend)
        record.isNewcomer = order.contains { backends[$0].state == .online }
        record.isHeldBack = heldBack[backend.id] != nil
        let index: Int
        if let free = freeBackends.popLast() {
            index = free
            backends[index] = record
        } else {
            index = backends.count
            backends.append(record)
        }
        known[backend.id] = index
        order.insert(index, at: random.below(order.count + 1))
        if observed { emit(.backendAdded(backend.id)) }
        return index
    }

    /// Takes over what may change about a known backend; true if the plan is affected.
    private mutating func update(_ index: Int, _ backend: Backend) -> Bool {
        let (old, rank) = (backends[index].backend, backends[index].rank)
        backends[index].backend = backend
        backends[index].isFarAway = isFarAway(backend)
        if !backends[index].present {
            backends[index].present = true
            draining -= 1
            order.insert(index, at: random.below(order.count + 1))
            if observed { emit(.backendAdded(backend.id)) }
            return true
        }
        return rank != backends[index].rank || old.weight != backend.weight
    }

    /// Idle connections are closed at once, connects are abandoned, lent ones go when they come back.
    private mutating func remove(_ backend: Int, now: Int64) {
        backends[backend].present = false
        backends[backend].wanted = 0
        needsRecall = true
        draining += 1
        if observed { emit(.backendRemoved(backends[backend].id)) }
        if backends[backend].counts.all == 0 { return forgetBackend(backend) }
        for slot in slots.indices where slots[slot].backend == Int32(backend) {
            switch slots[slot].state {
            case .idle: close(slot, .backendRemoved, now: now)
            case .connecting: close(slot, .connectAbandoned, now: now)
            case .free, .acquiring, .claimed, .recycling, .checking, .closing: continue
            }
        }
    }

    mutating func forgetBackend(_ backend: Int) {
        known[backends[backend].id] = nil
        attributes.release(backends[backend].latest)
        attributes.release(backends[backend].learnt)
        backends[backend].learnt = 0
        effects.append(.backendGone(backends[backend].id))
        draining -= 1
        freeBackends.append(backend)
    }

    /// Draws the backend's state from what is known of it.
    mutating func evaluate(_ backend: Int, now: Int64) {
        let record = backends[backend]
        let state = record.health.state(
            usable: record.counts.usable, failedAfter: policy.failedAfter, now: now)
        if let state { setState(backend, state) }
    }

    mutating func setState(_ backend: Int, _ state: PoolStats.BackendState) {
        let old = backends[backend].state
        if old == state { return }
        backends[backend].state = state
        if observed { emit(.backendState(backends[backend].id, from: old, to: state)) }
        if old == .dead || state == .dead { needsPlan = true }
    }

    /// Something said that more than one connection may be gone: the idle ones are checked, four a second.
    mutating func suspectBackend(_ backend: Int, now: Int64) {
        var at = max(now, backends[backend].suspectedUntil)
        for slot in slots.indices where slots[slot].backend == Int32(backend) && slots[slot].state == .idle {
            if slots[slot].checkBy <= at { continue }
            slots[slot].checkBy = at
            arm(slot, by: at)
            at = at.after(Self.suspicionSpacing)
        }
        backends[backend].suspectedUntil = at
    }

    /// The same, said from outside.
    mutating func suspect(_ id: BackendID, now: Int64) {
        guard let backend = known[id], !isStopping else { return }
        suspectBackend(backend, now: now)
    }
}
