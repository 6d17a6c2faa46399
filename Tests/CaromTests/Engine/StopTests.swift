// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Testing

@Suite("Stopping and hanging")
struct StopTests {
    @Test("behaviour 46: the pool itself stops at the end of the grace and says what it revoked")
    func stopReports() throws {
        let rig = try ShellRig { $0.maxSlots = 2 }
        let early = rig.hold()
        let never = rig.hold()
        let waiting = (0..<3).map { _ in rig.hold() }
        let began = rig.clock.now
        let report = Kept<(StopReport, PoolInstant)>()
        let pool = rig.pool
        let clock = rig.clock
        _ = Task(executorPreference: clock) {
            report.value = (await pool.stop(grace: .seconds(5)), clock.now)
        }
        rig.clock.runUntilQuiescent()
        #expect(waiting.allSatisfy { $0.state == .failed(.stopped) })
        rig.clock.advance(by: .seconds(1))
        early.release()
        rig.clock.advance(by: .seconds(10))
        #expect(report.value?.1 == began.advanced(by: .seconds(5)))
        #expect(report.value?.0.revokedLeases.count == 1)
        #expect(report.value?.0.description == "1 lease revoked, 3 waiting claims failed")
        #expect(rig.connector.open == 0)
        never.release()
        rig.clock.runUntilQuiescent()
        #expect(rig.connector.closedOnce)
    }

    @Test("behaviour 47: ten stops return after the same end")
    func tenStops() throws {
        let rig = try ShellRig()
        let pool = rig.pool
        let reports = (0..<10).map { _ in Kept<StopReport>() }
        for report in reports {
            _ = Task(executorPreference: rig.clock) { report.value = await pool.stop() }
        }
        rig.clock.advance(by: .seconds(6))
        #expect(Set(reports.map(\.value)).count == 1 && reports[0].value != nil)
        #expect(rig.stop() == reports[0].value)
    }

    @Test(
        "behaviour 65: a stop ends a quarter of a second after its grace, whatever the connector is at",
        arguments: [0, 100, 300])
    func stopIsInTime(grace: Int) throws {
        for isClosing in [false, true] {
            var script = FakeConnector.Script()
            script.connect = { _ in isClosing ? .succeed : .hangIgnoringCancellation }
            script.close = { _ in .hangIgnoringCancellation }
            let rig = try ShellRig(script: script)
            let began = rig.clock.now
            let ended = Kept<PoolInstant>()
            let (pool, clock) = (rig.pool, rig.clock)
            _ = Task(executorPreference: clock) {
                let report = await pool.stop(grace: .milliseconds(grace))
                #expect(report.unfinishedOperations > 0)
                ended.value = clock.now
            }
            clock.advance(by: .seconds(10))
            let limit = began.advanced(by: .milliseconds(grace + 250))
            #expect(ended.value.map { $0 <= limit } == true)
        }
    }

    @Test func cancellingRunStopsAtOnce() throws {
        let rig = try ShellRig()
        let holder = rig.hold()
        rig.running.cancel()
        rig.clock.runUntilQuiescent()
        #expect(rig.pool.stats.state == .stopped)
        #expect(rig.connector.open == 0)
        #expect(!rig.resolver.isRunning)
        holder.release()
        rig.clock.runUntilQuiescent()
        #expect(rig.connector.closedOnce)
    }

    @Test("behaviour 14: the pool closes a connection that arrives too late, and does not count it")
    func lateConnectionIsClosed() throws {
        var script = FakeConnector.Script()
        script.connect = { _ in .hangIgnoringCancellation }
        let rig = try ShellRig(script: script) {
            $0.spares = 1
            $0.maxSlots = 1
        }
        rig.clock.advance(by: .seconds(11))
        rig.connector.releaseHanging()
        rig.clock.runUntilQuiescent()
        #expect(rig.connector.opened == 1 && rig.connector.closed == 1)
        #expect(rig.pool.stats.idle == 0)
        #expect(rig.events.all.contains { if case .connectedTooLate = $0 { true } else { false } })
    }

    @Test func aConnectorThatHangsAndIgnoresCancellationDelaysNobody() throws {
        var script = FakeConnector.Script()
        script.isValid = { $0.number <= 2 ? .hangIgnoringCancellation : .succeed }
        script.close = { _ in .hangIgnoringCancellation }
        let rig = try ShellRig(script: script)
        rig.clock.advance(by: .seconds(40))
        #expect(rig.connector.opened > 2)
        #expect(rig.pool.stats.idle >= 1)
        let ended = Kept<Bool>()
        let running = rig.running
        _ = Task(executorPreference: rig.clock) {
            _ = await running.result
            ended.value = true
        }
        let report = rig.stop(grace: .seconds(1))
        #expect(ended.value == true)
        #expect((report?.unfinishedOperations ?? 0) >= 2)
        rig.connector.releaseHanging()
        rig.clock.runUntilQuiescent()
        #expect(rig.connector.closedOnce)
    }

    @Test(
        "a call that was cancelled for a stop gets its turn before the report counts it",
        arguments: [100, 400])
    func cancelledCallsGetTheirTurn(milliseconds: Int) throws {
        var script = FakeConnector.Script()
        script.isValid = { _ in .hangIgnoringCancellation }
        let rig = try ShellRig(script: script)
        // Time for checks to begin.
        rig.clock.advance(by: .seconds(35))
        #expect(rig.pool.stats.backends.contains { $0.checking > 0 })
        let (pool, clock) = (rig.pool, rig.clock)
        let began = clock.now
        let reports = (0..<2).map { _ in Kept<(StopReport, PoolInstant)>() }
        for report in reports {
            _ = Task(executorPreference: clock) { report.value = (await pool.stop(), clock.now) }
        }
        clock.advance(by: .milliseconds(milliseconds))
        rig.connector.releaseHanging()
        clock.advance(by: .seconds(1))
        for report in reports {
            let isInTime = milliseconds < 250
            #expect((report.value?.0.unfinishedOperations == 0) == isInTime)
            #expect(report.value?.1 == began.advanced(by: .milliseconds(isInTime ? milliseconds : 250)))
        }
        #expect(reports[0].value?.0 == reports[1].value?.0)
    }

    @Test func aCloseThatHangsIsCancelledAndItsSlotUsedAgain() throws {
        var script = FakeConnector.Script()
        script.close = { $0.number == 1 ? .hang : .succeed }
        let rig = try ShellRig(script: script) {
            $0.spares = 1
            $0.maxSlots = 1
        }
        rig.claimIdle()?.discard()
        rig.clock.advance(by: .milliseconds(2900))
        #expect(rig.pool.stats.slots == 1 && rig.connector.opened == 1)
        rig.clock.advance(by: .milliseconds(200))
        #expect(rig.pool.stats.idle == 1 && rig.connector.opened == 2)
        #expect(rig.events.all.contains { if case .closeOverdue = $0 { true } else { false } })
    }

    @Test func aRecycleThatFailsByItsClaimersFaultBlamesNobody() throws {
        for (kind, score) in [(FailureKind.other, 0), (.backend, 1)] {
            var script = FakeConnector.Script()
            script.verdict = { _ in .recycle }
            script.onRecycle = { _ in .fail("left in a query") }
            script.classify = { _ in kind }
            let rig = try ShellRig(script: script)
            rig.claimIdle()?.recycle()
            rig.clock.runUntilQuiescent()
            #expect(rig.pool.stats.totals.recycleFailures == 1)
            #expect(rig.pool.stats.backends[0].score == score)
        }
    }

    @Test("behaviour 48: claims wait while the pool is suspended, and are served when it is not")
    func suspendAndResumeThroughThePool() throws {
        let rig = try ShellRig()
        rig.pool.suspend()
        let holder = rig.hold()
        rig.clock.advance(by: .seconds(1))
        #expect(holder.state == .waiting)
        rig.pool.resume()
        rig.clock.advance(by: .seconds(1))
        #expect(holder.state != .waiting)
    }

    @Test func aBadPolicyIsRefusedAndTheOldOneStays() throws {
        let rig = try ShellRig()
        var bad = rig.pool.policy
        bad.maxSlots = 0
        #expect(throws: PolicyError.self) { try rig.pool.update(policy: bad) }
        #expect(rig.pool.policy.maxSlots == 4)
        #expect(throws: PolicyError.self) {
            try Pool(name: "p", resolver: ScriptedResolver(), connector: FakeConnector(), policy: bad)
        }
    }

    @Test("behaviour 34: a leak is reported with the place it was claimed at")
    func leaksNameTheirPlace() throws {
        let rig = try ShellRig { $0.leakThreshold = .seconds(60) }
        let holder = rig.hold()
        rig.clock.advance(by: .seconds(61))
        let places = rig.events.all.compactMap { event in
            if case .overdue(_, _, let place) = event { place } else { nil }
        }
        #expect(places.count == 1)
        #expect(places.first?.contains("ShellRig.swift") == true)
        holder.release()
        rig.clock.runUntilQuiescent()
        #expect(rig.events.all.contains { if case .overdueReturned = $0 { true } else { false } })
    }
}
