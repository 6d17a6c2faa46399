// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

@Suite("Return, check, lifetime")
struct ReturnTests {
    @Test("behaviour 28: a returned connection is not lent before it is clean; after 3 s it is replaced")
    func recycleComesFirst() {
        let rig = ClaimTests.fixed(1)
        rig.recycle = { _ in .hang }
        let claim = rig.claim()
        let returned = rig.now
        rig.giveBack(claim, .recycle)
        let next = rig.claim()
        rig.run(2.9)
        #expect(rig.claims[next] == .waiting)
        rig.run(1)
        #expect(rig.closings.first?.at == returned + 3 * second)
        #expect(rig.claims[next].slot != nil)
        #expect(rig.claims[next].slot != rig.claims[claim].slot)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 29: idle connections are checked every 27 to 33 s, those opened together soon apart")
    func checksAreSpread() {
        let rig = ClaimTests.fixed(16)
        rig.run(200)
        var times: [SlotID: [Int64]] = [:]
        for check in rig.checks { times[check.slot, default: []].append(check.at) }
        #expect(times.count == 16)
        for series in times.values {
            for (one, next) in zip(series, series.dropFirst()) {
                #expect((27 * second...33 * second).contains(next - one))
            }
        }
        #expect(Set(times.values.map { $0[1] }).count == 16)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 30: lent unchecked within half a second of use, after that with exactly one check")
    func validationBypass() {
        let rig = ClaimTests.fixed(1)
        rig.giveBack(rig.claim())
        rig.run(0.4)
        let soon = rig.claim()
        #expect(rig.claims[soon].slot != nil && rig.acquires.isEmpty)
        rig.giveBack(soon)
        rig.run(0.6)
        let late = rig.claim()
        #expect(rig.claims[late] == .waiting)
        rig.run(0)
        #expect(rig.claims[late].slot != nil)
        #expect(rig.acquires.count == 1 && rig.acquires[0].validate)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 31: connections of one birthday end between 27 and 30 min, at most four a second")
    func lifetimesAreSpread() {
        let rig = ClaimTests.fixed(100) {
            $0.perBackendMax = 100
            $0.healthInterval = nil
        }
        rig.checking = false
        rig.run(60)
        let born = Set(rig.attempts.map(\.slot))
        #expect(born.count == 100)
        let held = rig.claim()
        rig.run(0)
        let heldSlot = rig.claims[held].slot!
        rig.run(30 * 60 - 61)
        rig.run(2)
        let ends = rig.closings.filter { born.contains($0.slot) }.map(\.at).sorted()
        #expect(ends.count == 99)
        #expect(ends.first! >= 27 * 60 * second)
        #expect(ends.last! <= 30 * 60 * second + second)
        for (one, fifth) in zip(ends, ends.dropFirst(8)) { #expect(fifth - one >= second) }
        #expect(rig.core.find(heldSlot) != nil)
        rig.giveBack(held)
        #expect(rig.closings.last?.slot == heldSlot)
    }

    @Test("behaviour 32: a broken connection is closed, its backend blamed, its successor a step away")
    func brokenIsReplacedAfterAStep() {
        let rig = ClaimTests.fixed(1)
        let claim = rig.claim()
        let at = rig.now
        rig.giveBack(claim, .discard(.discarded, blame: true, suspect: false))
        rig.run(1)
        #expect(rig.closings.map(\.slot) == [rig.claims[claim].slot!])
        #expect(rig.attempts.count == 2)
        #expect((10 * ms...20 * ms).contains(rig.attempts[1].at - at))
        #expect(rig.stats("b01").score == 1)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 33: an error of the backend has its other idle connections checked, four a second")
    func suspicionChecksTheOthers() {
        let rig = ClaimTests.fixed(9)
        let claim = rig.claim()
        let at = rig.now
        rig.giveBack(claim, .discard(.discarded, blame: true, suspect: true))
        rig.run(3)
        #expect(rig.closings.count == 1)
        let suspected = rig.checks.filter { check in rig.attempts.prefix(9).contains { $0.slot == check.slot }
        }
        #expect(suspected.count == 8)
        #expect(suspected.first?.at == at)
        for (one, fifth) in zip(suspected, suspected.dropFirst(4)) { #expect(fifth.at - one.at >= second) }
        #expect(rig.broken == nil)
    }

    @Test("behaviour 34: a lease held too long is reported once, and once more when it returns")
    func leaksAreReported() {
        let rig = ClaimTests.fixed(1) { $0.leakThreshold = .seconds(60) }
        let claim = rig.claim()
        rig.core.effects = []
        var seen: [PoolEffect] = []
        while rig.now < 200 * second {
            rig.run(until: min(rig.core.nextDeadline, 200 * second) - 1)
            rig.now += 1
            rig.core.tick(rig.now)
            seen += rig.core.effects.filter { if case .overdue = $0 { true } else { false } }
            rig.follow()
        }
        #expect(seen == [.overdue(rig.claims[claim].slot!, held: 60 * second)])
        _ = rig.core.giveBack(rig.claims[claim].slot!, .clean, affinity: .noAffinity, now: rig.now)
        #expect(rig.core.effects.contains { if case .overdueReturned = $0 { true } else { false } })
    }

    @Test func aLeaseBeyondItsLimitIsRevoked() {
        let rig = ClaimTests.fixed(1) { $0.leaseLimit = .seconds(10) }
        let claim = rig.claim()
        let at = rig.now
        rig.run(11)
        #expect(rig.closings.first?.at == at + 10 * second)
        #expect(rig.stats.totals.revocations == 1)
        let late = rig.core.giveBack(rig.claims[claim].slot!, .clean, affinity: .noAffinity, now: rig.now)
        #expect(late == .late)
        #expect(rig.usable() == [1])
        #expect(rig.broken == nil)
    }

    @Test func aCloseThatTakesTooLongIsCancelledAndKeepsItsSlotUntilItEnds() {
        let rig = ClaimTests.fixed(1)
        rig.closeDelay = 10 * second
        let claim = rig.claim()
        let slot = rig.claims[claim].slot!
        rig.giveBack(claim, .discard(.discarded, blame: false, suspect: false))
        let at = rig.now
        rig.run(9)
        let ends: [PoolEvent] = [.closeOverdue(slot), .closed(slot)]
        #expect(rig.events.filter { ends.contains($0.event) }.map(\.at) == [at + 3 * second])
        #expect(rig.hurries == [slot])
        #expect(rig.usable() == [0] && rig.sockets == 1)
        rig.run(2)
        #expect(rig.events.filter { ends.contains($0.event) }.map(\.event) == ends)
        #expect(rig.stats.totals.closes == 1)
        #expect(rig.usable() == [1], "its place is filled again")
        #expect(rig.mostSockets == 1)
        #expect(rig.broken == nil)
    }

    @Test func aStopDoesNotWaitForACloseThatHangs() {
        let rig = ClaimTests.fixed(1)
        rig.closeDelay = .never
        let claim = rig.claim()
        let slot = rig.claims[claim].slot!
        rig.giveBack(claim, .discard(.discarded, blame: false, suspect: false))
        rig.run(5)
        let at = rig.now
        _ = rig.core.stop(grace: second, now: at)
        rig.follow()
        rig.run(10)
        #expect(rig.events.filter { $0.event == .closeAbandoned(slot) }.count == 1)
        #expect(rig.stoppedAt == at + second + second / 4)
        #expect(rig.broken == nil)
    }

    @Test func idleConnectionsCloseAfterTheirLimitOnlyBeyondTheSpares() {
        let rig = CoreRig(
            Policy.with {
                $0.spares = 2
                $0.shrink = .afterIdle(.seconds(5))
            }, backends: CoreRig.backends(1))
        rig.run(1)
        let claims = (0..<8).map { _ in rig.claim() }
        rig.run(2)
        #expect(rig.usable() == [10])
        for claim in claims { rig.giveBack(claim) }
        rig.run(1)
        #expect(rig.usable() == [10])
        rig.run(20)
        #expect(rig.usable() == [2])
        #expect(rig.broken == nil)
    }

    @Test func aRecycleHasATimeOfItsOwn() {
        let rig = ClaimTests.fixed(1) { $0.recycleTimeout = .seconds(20) }
        rig.recycle = { _ in .succeed(after: 19 * second) }
        rig.giveBack(rig.claim(), .recycle)
        rig.run(19)
        #expect(rig.closings.isEmpty && rig.stats("b01").idle == 1)
        let patient = ClaimTests.fixed(1) { $0.recycleTimeout = nil }
        patient.recycle = { _ in .hang }
        patient.giveBack(patient.claim(), .recycle)
        patient.run(100_000)
        #expect(patient.closings.isEmpty && patient.stats("b01").recycling == 1)
        #expect(rig.broken == nil && patient.broken == nil)
    }

    @Test func aRecycleThatFailsByTheClaimersFaultBlamesNobody() {
        let rig = ClaimTests.fixed(2)
        rig.giveBack(rig.claim(), .recycle)
        rig.follow()
        let slot = rig.recycles[0].slot
        rig.core.recycled(slot, failure: "left in a query", blame: false, now: rig.now)
        rig.follow()
        #expect(rig.stats("b01").state == .online)
        #expect(rig.stats("b01").score == 0)
        rig.run(0.001)
        #expect(rig.attempts.count == 3, "its successor does not wait")
        #expect(rig.broken == nil)
    }
}
