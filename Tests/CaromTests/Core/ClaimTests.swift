// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

@Suite("Claims")
struct ClaimTests {
    /// A pool of fixed size on one backend, settled.
    static func fixed(_ size: Int, acquires: Bool = false, _ change: (inout Policy) -> Void = { _ in })
        -> CoreRig
    {
        let policy = Policy.with {
            $0.maxSlots = size
            $0.spares = size
            change(&$0)
        }
        let rig = CoreRig(policy, acquires: acquires, backends: CoreRig.backends(1))
        rig.run(0.1)
        return rig
    }

    @Test("behaviour 15: a claim of an idle connection is answered in its own turn")
    func idleIsLentAtOnce() {
        let rig = Self.fixed(1)
        let claim = rig.claim()
        #expect(rig.claims[claim] == .served(SlotID(index: 0, generation: 0), at: rig.now))
        #expect(rig.broken == nil)
    }

    @Test("behaviour 16: the sixth of five gets exactly the connection that comes back")
    func sixthGetsTheReturned() {
        let rig = Self.fixed(5)
        let first = (0..<5).map { _ in rig.claim() }
        let sixth = rig.claim()
        rig.run(0.05)
        #expect(rig.claims[sixth] == .waiting)
        rig.giveBack(first[3])
        #expect(rig.claims[sixth].slot == rig.claims[first[3]].slot)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 17: a newcomer never overtakes a waiter")
    func newcomerQueues() {
        let rig = Self.fixed(1)
        let holder = rig.claim()
        let waiters = (0..<3).map { _ in rig.claim() }
        rig.giveBack(holder)
        let newcomer = rig.claim()
        #expect(rig.claims[waiters[0]].slot != nil)
        var holding = waiters[0]
        for next in [waiters[1], waiters[2], newcomer] {
            #expect(rig.claims[next] == .waiting)
            rig.giveBack(holding)
            #expect(rig.claims[next].slot != nil)
            holding = next
        }
        #expect(rig.broken == nil)
    }

    @Test("behaviour 18: without backends a claim fails after its timeout, or at once if so wished")
    func noBackends() {
        let rig = CoreRig()
        let claim = rig.claim()
        rig.run(40)
        #expect(rig.claims[claim] == .failed(.noBackends, at: 30 * second))
        let fast = CoreRig(Policy.with { $0.failFastWhenEmpty = true })
        #expect(fast.claims[fast.claim()] == .failed(.noBackends, at: 0))
        #expect(rig.broken == nil && fast.broken == nil)
    }

    @Test("behaviour 19: with all backends offline a claim fails with the last cause of each")
    func noBackendsOnline() {
        let rig = CoreRig(Policy.with { $0.failedAfter = .seconds(100) })
        rig.connect = { .fail(reason: "refused by \($0.name)") }
        rig.resolve(CoreRig.backends(2))
        let claim = rig.claim()
        rig.run(31)
        #expect(rig.claims[claim] == .failed(.noBackendsOnline, at: 30 * second))
        #expect(rig.stats("b01").lastError == "refused by b01")
        #expect(rig.stats("b02").lastError == "refused by b02")
        #expect(rig.broken == nil)
    }

    @Test("behaviour 20: the timeout covers the acquire hook")
    func timeoutCoversTheHook() {
        let rig = Self.fixed(4, acquires: true) { $0.claimTimeout = .milliseconds(100) }
        rig.acquire = { _ in .fail(after: 80 * ms) }
        let began = rig.now
        let claim = rig.claim()
        rig.run(1)
        #expect(rig.claims[claim] == .failed(.acquireFailed, at: began + 100 * ms))
        #expect(rig.broken == nil)
    }

    @Test("behaviour 21: a cancelled waiter leaves the queue in the same turn and disturbs nothing")
    func cancelledWaiterLeaves() {
        let rig = Self.fixed(1)
        let holder = rig.claim()
        let waiters = (0..<3).map { _ in rig.claim() }
        let cancelled = rig.core.cancel(rig.waiter(of: waiters[1])!, now: rig.now)
        #expect(cancelled)
        rig.follow()
        #expect(rig.stats.waiting == 2)
        #expect(rig.closings.isEmpty && rig.recycles.isEmpty)
        rig.giveBack(holder)
        #expect(rig.claims[waiters[0]].slot != nil)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 22: a claim cancelled between choice and delivery gives back without a recycle")
    func untouchedGoesOn() {
        let rig = Self.fixed(1)
        let holder = rig.claim()
        let (one, two) = (rig.claim(), rig.claim())
        rig.giveBack(holder)
        rig.giveBack(one, .untouched)
        #expect(rig.recycles.isEmpty && rig.closings.isEmpty)
        #expect(rig.claims[two].slot == rig.claims[holder].slot)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 23: one more than may wait fails at once")
    func queueIsBounded() {
        let rig = Self.fixed(1) { $0.maxWaiters = 3 }
        rig.claim()
        for _ in 0..<3 { rig.claim() }
        #expect(rig.claims[rig.claim()] == .failed(.queueFull, at: rig.now))
        #expect(rig.stats.waiting == 3)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 24: a claim without patience succeeds at once or fails at once")
    func zeroTimeout() {
        let rig = Self.fixed(1)
        #expect(rig.claims[rig.claim(timeout: 0)].slot != nil)
        #expect(rig.claims[rig.claim(timeout: 0)] == .failed(.exhausted, at: rig.now))
        #expect(rig.broken == nil)
    }

    @Test("behaviour 25: fewer failures are preferred, equals share", arguments: [0, 5])
    func choiceByScore(failures: Int) {
        let rig = CoreRig(Policy.with { $0.validationBypass = nil }, backends: CoreRig.backends(2))
        rig.run(1)
        for index in rig.core.order where rig.core.backends[index].backend.name == "b02" {
            for _ in 0..<failures { rig.core.backends[index].health.window.add(rig.now) }
        }
        var first = 0
        for _ in 0..<100 {
            let claim = rig.claim()
            if rig.backendOf(rig.claims[claim].slot!) == "b01" { first += 1 }
            rig.run(0.001)
            rig.giveBack(claim)
        }
        #expect(failures == 0 ? (40...60).contains(first) : first >= 90)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 26: a waiter is served by the first return although others claim in a loop")
    func noStarvation() {
        let rig = Self.fixed(4)
        var loops = (0..<4).map { _ in rig.claim() }
        let waiter = rig.claim()
        rig.giveBack(loops[0])
        loops[0] = rig.claim()
        #expect(rig.claims[waiter].slot != nil)
        #expect(rig.claims[loops[0]] == .waiting)
        #expect(rig.broken == nil)
    }

    @Test("behaviour 27: controlled delay keeps the wait of served claims near its target under overload")
    func controlledDelay() {
        let rig = Self.fixed(2) { $0.codelTarget = .milliseconds(300) }
        rig.checking = false
        let began = rig.now
        var held: Set<Int> = []
        var arrivals: [Int: Int64] = [:]
        func look(_ rig: CoreRig) {
            for (claim, arrived) in arrivals where !held.contains(claim) {
                guard case .served(_, let at) = rig.claims[claim] else { continue }
                held.insert(claim)
                waits.append(at - arrived)
                rig.later(50 * ms) {
                    $0.giveBack(claim)
                    arrivals[claim] = nil
                    look($0)
                }
            }
        }
        var waits: [Int64] = []
        for index in 0..<2500 {
            rig.later(Int64(index) * 2 * ms) {
                let claim = $0.claim()
                arrivals[claim] = $0.now
                look($0)
            }
        }
        rig.run(until: began + 8 * second)
        let mean = waits.reduce(0, +) / Int64(waits.count)
        #expect(mean > 125 * ms && mean < 475 * ms, "mean \(mean / ms) ms")
        #expect(waits.count > 150)
        let codes = Set(rig.claims.compactMap(\.code))
        #expect(codes == [.overloaded])
    }
}
