// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Testing

@Suite("Pool")
struct PoolTests {
    /// What the documentation calls the least.
    private struct ThreeMethods: Connector {
        func connect(to backend: Backend, context: ConnectContext) async throws -> String {
            "to \(backend.id)"
        }
        func isValid(_ connection: String) async throws {}
        func close(_ connection: String) async {}
    }

    @Test func threeMethodsMakeAConnector() async throws {
        let backend = Backend(name: "a", address: .unix(path: "/a"))
        var policy = Policy()
        // Beside tests that take every core, half a minute is no time.
        policy.claimTimeout = nil
        let pool = try Pool(
            name: "least", resolver: StaticResolver([backend]), connector: ThreeMethods(), policy: policy)
        async let running: Void = pool.run()
        #expect(try await pool.withConnection { $0 } == "to \(backend.id)")
        // What a body returns need not be wanted.
        try await pool.withConnection { $0 }
        await pool.stop()
        try await running
    }

    @Test func connectionsAreLentAndTakenBack() throws {
        let rig = try ShellRig()
        #expect(rig.pool.stats.idle == 2)
        let one = rig.hold()
        #expect(one.state == .holding(2) || one.state == .holding(1))
        #expect(rig.pool.stats.claimed == 1)
        one.release()
        rig.clock.runUntilQuiescent()
        #expect(rig.pool.stats.claimed == 0)
        let report = rig.stop()
        #expect(report?.revokedLeases.isEmpty == true)
        #expect(rig.connector.open == 0 && rig.connector.closedOnce)
        #expect(rig.pool.stats.state == .stopped)
    }

    @Test func withConnectionGivesBackHoweverItEnds() async throws {
        let rig = try ShellRig()
        let answer = try await rig.pool.withConnection { $0.number + 40 }
        #expect(answer > 40)
        await #expect(throws: FakeError.self) {
            try await rig.pool.withConnection { _ in throw FakeError("body") }
        }
        #expect(rig.pool.stats.claimed == 0)
        #expect(rig.pool.stats.totals.claims == 2)
    }

    @Test func waitersAreServedInOrder() throws {
        let rig = try ShellRig { $0.maxSlots = 1 }
        let holders = (0..<4).map { _ in rig.hold() }
        for (index, holder) in holders.enumerated() {
            #expect(holder.state == .holding(1))
            for later in holders[(index + 1)...] { #expect(later.state == .waiting) }
            holder.release()
            rig.clock.runUntilQuiescent()
        }
        #expect(rig.pool.stats.totals.waitedClaims == 3)
    }

    @Test func aForgottenClaimIsDiscardedAndReported() throws {
        let rig = try ShellRig { $0.maxSlots = 1 }
        let pool = rig.pool
        _ = Task(executorPreference: rig.clock) { _ = try await pool.claim() }
        rig.clock.advance(by: .seconds(1))
        #expect(rig.events.all.contains { if case .forgotten = $0 { true } else { false } })
        #expect(rig.connector.closed == 1 && rig.pool.stats.idle == 1)
        #expect(rig.pool.stats.totals.forgotten == 1)
    }

    @Test func aRecycleRunsBeforeTheNextClaim() throws {
        var script = FakeConnector.Script()
        script.verdict = { _ in .recycle }
        script.delay = .seconds(1)
        let rig = try ShellRig(script: script) { $0.maxSlots = 1 }
        rig.clock.advance(by: .seconds(1))
        let first = rig.hold()
        rig.clock.advance(by: .seconds(1))
        #expect(first.state == .holding(1))
        first.release()
        rig.clock.runUntilQuiescent()
        let second = rig.hold()
        #expect(second.state == .waiting)
        rig.clock.advance(by: .seconds(2))
        #expect(second.state == .holding(1))
        #expect(rig.connector.connections[0].recycles == 1)
    }

    @Test func aDeadIdleConnectionIsSkipped() throws {
        let rig = try ShellRig()
        for connection in rig.connector.connections { connection.isUsable = false }
        let holder = rig.hold()
        rig.clock.advance(by: .seconds(1))
        #expect(holder.state == .holding(3) || holder.state == .holding(4))
        #expect(rig.connector.closed == 2)
    }

    @Test("behaviour 19: errors say why, with the cause of each backend")
    func errorsSayWhyWithTheCauseOfEachBackend() async throws {
        var script = FakeConnector.Script()
        script.connect = { _ in .fail("no route") }
        let rig = try ShellRig(script: script)
        rig.clock.advance(by: .seconds(20))
        do throws(PoolError) {
            _ = try await rig.pool.claim()
            Issue.record("a claim was served by nobody")
        } catch {
            #expect(error.code == .failed)
            #expect(error.causes.first?.underlying is FakeError)
            #expect("\(error)".contains("no route"))
            #expect("\(error)".contains("all 1 backends are dead"))
        }
    }

    @Test func aConnectorsAttributesServeRequirements() throws {
        var script = FakeConnector.Script()
        script.attributes = { ["role": $0.name == "a" ? "primary" : "standby"] }
        let rig = try ShellRig(
            ["a", "b"].map { (name: String) in Backend(name: name, address: .unix(path: "/\(name)")) },
            script: script)
        var request = ClaimRequest.any
        request.requirement = ["role": "standby"]
        let holder = rig.hold(request)
        guard case .holding(let number) = holder.state else {
            Issue.record("not served: \(holder.state)")
            return
        }
        #expect(rig.connector.connections[number - 1].backend.name == "b")
    }
}
