// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What the core decided, with the objects it needs, ready to be done outside the lock.
struct PoolActions: Sendable {
    enum Item: Sendable {
        case connect(BackgroundTask, Backend, ConnectContext)
        case examine(BackgroundTask, AnyPooledConnection, Examination)
        case cancel(BackgroundTask)
        case close(BackgroundTask, AnyPooledConnection)
        case deliver(WaiterHandle, ClaimTicket)
        case event(PoolEvent)
        case sleep(BackgroundTask, until: Int64)
        /// Nothing is left of the core.
        case end
        case settle(SharedQuota)
    }

    /// Calls on an open connection.
    enum Examination: Sendable {
        case check
        case recycle
        /// Nanoseconds of rest: the connector looks at it, if it is not validated.
        case acquire(validate: Bool, idle: Int64)
    }

    var items: [Item] = []
}

extension EngineState {
    /// Packs what the core wants done. Nil, and nothing allocated, if there is nothing: the usual case.
    @inline(__always)
    mutating func collect(_ now: Int64) -> PoolActions? {
        if mustAttendToParking { attendToParking(now) }
        let quota = core.isLimited && reportToQuota(now) ? membership?.quota : nil
        // Before the pool runs nothing is there that time could do something to but claims that wait: a pool that was claimed
        // from and never run ends with its last claim.
        let next = hasRun ? min(core.nextDeadline, sampleAt) : deadlineBeforeRun(now)
        if core.effects.isEmpty, next >= armed, quota == nil { return nil }
        return pack(next, quota, now: now)
    }

    private mutating func deadlineBeforeRun(_ now: Int64) -> Int64 {
        let hasFailed = core.effects.contains { if case .fail = $0 { true } else { false } }
        if hasFailed { complain(at: now, now: now) }
        return min(core.queue.earliestDeadline, complainAt)
    }

    private mutating func pack(_ next: Int64, _ quota: SharedQuota?, now: Int64) -> PoolActions? {
        var work = PoolActions()
        let effects = core.effects
        core.effects = []
        var causes: [PoolError.Cause]?
        for effect in effects {
            switch effect {
            case .fail(let waiter, let code, let since, let requirement):
                if causes == nil { causes = self.causes() }
                let failure = error(code, since: since, now: now, causes: causes ?? [], requirement)
                let ticket = ClaimTicket(waiter: waiter, outcome: .failed(failure))
                work.items.append(.deliver(takeWaiter(waiter), ticket))
            case .connect, .check, .recycle, .acquire, .abandon, .close, .hurry, .forget, .serve, .revoked,
                .overdue,
                .overdueReturned, .backendGone, .stopped, .event:
                pack(effect, into: &work, now: now)
            }
        }
        if next < armed {
            if let timer { work.items.append(.cancel(timer)) }
            let task = BackgroundTask()
            timer = task
            armed = next
            work.items.append(.sleep(task, until: next))
        }
        // Last: it calls other pools, and this one again.
        if let quota { work.items.append(.settle(quota)) }
        return work
    }

    private mutating func pack(_ effect: PoolEffect, into work: inout PoolActions, now: Int64) {
        switch effect {
        case .connect(let slot, let backend, let attempt, let affinity, let deadline):
            let task = BackgroundTask()
            setRunning(task, slot)
            let context = ConnectContext(
                affinity: affinity, slot: slot, attempt: attempt,
                deadline: PoolInstant(nanoseconds: deadline),
                timeout: .nanoseconds(deadline - now))
            work.items.append(.connect(task, backend, context))
        case .check(let slot): examine(slot, .check, &work)
        case .recycle(let slot): examine(slot, .recycle, &work)
        case .acquire(let slot, let validate):
            let idle = now.since(core.slots[Int(slot.index)].activeAt)
            examine(slot, .acquire(validate: validate, idle: idle), &work)
        case .abandon(let slot): cancel(slot, &work)
        case .close(let slot):
            cancel(slot, &work)
            guard let box = box(slot) else { preconditionFailure("a slot to be closed has no connection") }
            countClaims(box)
            setBox(nil, slot)
            let task = BackgroundTask()
            setRunning(task, slot)
            work.items.append(.close(task, box))
        case .hurry(let slot), .forget(let slot): cancel(slot, &work)
        case .serve(let waiter, let slot):
            guard let box = box(slot) else { preconditionFailure("a served slot has no connection") }
            markLent(box)
            box.ticket.store(true, ordering: .relaxed)
            let ticket = ClaimTicket(waiter: waiter, outcome: .served(box, idle: 0))
            work.items.append(.deliver(takeWaiter(waiter), ticket))
        case .revoked(let slot, let backend, let held):
            revoked.append(StopReport.Lease(slot: slot, backend: backend, held: .nanoseconds(held)))
        case .overdue(let slot, let held):
            let place = places[slot] ?? "unknown"
            if core.observed {
                work.items.append(.event(.overdue(slot, held: .nanoseconds(held), place: place)))
            }
        case .overdueReturned(let slot, let held):
            let place = places[slot] ?? "unknown"
            let event = PoolEvent.overdueReturned(slot, held: .nanoseconds(held), place: place)
            if core.observed { work.items.append(.event(event)) }
        case .backendGone(let backend): errors[backend] = nil
        case .stopped: finish(&work)
        case .event(let event): work.items.append(.event(event))
        case .fail: preconditionFailure("failures are packed by the caller")
        }
    }

    private mutating func examine(_ slot: SlotID, _ what: PoolActions.Examination, _ work: inout PoolActions)
    {
        guard let box = box(slot) else { preconditionFailure("a slot to be examined has no connection") }
        let task = BackgroundTask()
        setRunning(task, slot)
        work.items.append(.examine(task, box, what))
    }

    private mutating func cancel(_ slot: SlotID, _ work: inout PoolActions) {
        guard Int(slot.index) < running.count, let task = running[Int(slot.index)] else { return }
        setRunning(nil, slot)
        work.items.append(.cancel(task))
    }

    private mutating func finish(_ work: inout PoolActions) {
        finished = true
        leaveQuota()
        if let timer { work.items.append(.cancel(timer)) }
        timer = nil
        work.items.append(.end)
    }
}
