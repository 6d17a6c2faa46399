// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

@Suite("Operation")
struct OperationTests {
    @Test("behaviour 46: stop fails waiters at once, waits its grace for leases, and revokes the rest")
    func stopInOrder() {
        let rig = CoreRig(
            Policy.with {
                $0.maxSlots = 4
                $0.spares = 2
            }, backends: [CoreRig.backend("good")])
        rig.run(0.1)
        rig.connect = { $0.name == "silent" ? .hang : $0.name == "good" ? .succeed() : .fail() }
        let held = [rig.claim(), rig.claim()]
        rig.resolve(["good", "silent", "refusing"].map { CoreRig.backend($0) })
        rig.run(2)
        let waiting = (0..<8).map { _ in rig.claim() }.filter { rig.claims[$0] == .waiting }
        #expect(waiting.count >= 3)
        let at = rig.now
        _ = rig.core.stop(grace: 5 * second, now: rig.now)
        rig.follow()
        #expect(waiting.allSatisfy { rig.claims[$0] == .failed(.stopped, at: at) })
        rig.run(1)
        rig.giveBack(held[0])
        rig.run(10)
        let lent = rig.claims.compactMap(\.slot).count
        #expect(rig.stoppedAt == at + 5 * second)
        #expect(rig.sockets == 0)
        #expect(rig.revoked.count == lent - 1)
        #expect(rig.claims[rig.claim()].code == .stopped)
        let nothing = rig.core.nextDeadline
        #expect(nothing == .never)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 47: stop may be said again, and the shorter grace counts")
    func stopTwice() {
        let rig = ClaimTests.fixed(2)
        rig.claim()
        let at = rig.now
        _ = rig.core.stop(grace: 100 * second, now: rig.now)
        for _ in 0..<10 { _ = rig.core.stop(grace: 3 * second, now: rig.now) }
        rig.follow()
        rig.run(10)
        #expect(rig.stoppedAt == at + 3 * second)
        _ = rig.core.stop(grace: 0, now: rig.now)
        rig.follow()
        #expect(rig.broken == nil)
    }

    @Test("behaviour 48: a suspended pool lets claims wait, their time runs, and resume serves in order")
    func suspendAndResume() {
        let rig = ClaimTests.fixed(2)
        let out = rig.claim()
        rig.core.suspend()
        rig.follow()
        let impatient = rig.claim(timeout: second)
        let (one, two, three) = (rig.claim(), rig.claim(), rig.claim())
        rig.giveBack(out)
        rig.run(2)
        #expect(rig.claims[impatient].code == .timedOut)
        #expect(rig.claims[one] == .waiting)
        rig.core.resume(now: rig.now)
        rig.follow()
        rig.run(0)
        #expect(rig.claims[one].slot != nil && rig.claims[two].slot != nil)
        #expect(rig.claims[three] == .waiting)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 49: a smaller maximum cuts nothing and is reached as leases return")
    func shrinkingPolicy() {
        let rig = ClaimTests.fixed(16)
        let claims = (0..<10).map { _ in rig.claim() }
        rig.core.update(
            Policy.with {
                $0.maxSlots = 4
                $0.spares = 1
            }, now: rig.now)
        rig.follow()
        rig.run(0)
        #expect(rig.core.counts.all == 10)
        var before = 10
        for claim in claims.prefix(8) {
            rig.giveBack(claim)
            rig.run(0)
            #expect(rig.core.counts.all <= before)
            before = rig.core.counts.all
        }
        #expect(rig.core.counts.all == 4)
        #expect(claims.suffix(2).allSatisfy { rig.core.find(rig.claims[$0].slot!) != nil })
        #expect(rig.broken == nil)
    }

    @Test func aHundredThousandWaitersComeAndGoWithoutDebris() {
        let rig = ClaimTests.fixed(1) { $0.maxWaiters = 200_000 }
        rig.checking = false
        rig.claim()
        var waiters: [WaiterID] = []
        for _ in 0..<100_000 {
            if case .wait(let waiter) = rig.core.claim(.any, timeout: nil, now: rig.now) {
                waiters.append(waiter)
            }
        }
        #expect(rig.core.queue.count == 100_000)
        for waiter in waiters {
            let cancelled = rig.core.cancel(waiter, now: rig.now)
            if !cancelled { Issue.record("a waiter was lost") }
        }
        #expect(rig.core.queue.count == 0)
        #expect(rig.core.queue.deadlines.isEmpty)
        let again = rig.core.cancel(waiters[5], now: rig.now)
        #expect(!again)
        #expect(rig.core.queue.records.count == 100_000)
    }
}
