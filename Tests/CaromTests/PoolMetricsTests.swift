// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if Metrics
    import Carom
    import CaromTesting
    import MetricsTestKit
    import Testing

    @Suite("Metrics observer")
    struct MetricsTests {
        let metrics = TestMetrics()

        func rig(script: FakeConnector.Script = .init(), _ change: (inout Policy) -> Void = { _ in }) throws
            -> ShellRig
        {
            try ShellRig(
                script: script, observer: PoolMetrics(pool: "test", factory: metrics)
            ) { policy in
                policy.maxSlots = 1
                change(&policy)
            }
        }

        func total(_ label: String, code: String? = nil) -> Int64 {
            metrics.counterTotal(
                label: label, dimensions: [("pool", "test")] + (code.map { [("code", $0)] } ?? []))
        }

        @Test func claimsAreCountedAndTheirWaitAndHoldTimed() throws {
            let rig = try rig()
            let first = rig.hold()
            let second = rig.hold()
            let third = rig.hold()
            rig.clock.advance(by: .milliseconds(40))
            for holder in [first, second, third] {
                holder.release()
                rig.clock.runUntilQuiescent()
            }
            let pool = [("pool", "test")]
            #expect(try metrics.expectTimer("carom_claim_wait", pool).values == [40_000_000, 40_000_000])
            rig.clock.advance(by: .seconds(1))
            #expect(total("carom_claims") == 3)
            #expect(total("carom_connects") == 1)
            #expect(try metrics.expectRecorder("carom_queue_length", pool).values == [1, 2])
            _ = rig.stop()
            #expect(total("carom_closes") == 1)
        }

        func gauge(_ label: String, backend: String? = nil) throws -> Double? {
            let dimensions = [("pool", "test")] + (backend.map { [("backend", $0)] } ?? [])
            return try metrics.expectGauge(label, dimensions).lastValue
        }

        @Test("behaviour 69: gauges show what is idle, lent and waiting, and how many each backend has")
        func gaugesFollow() throws {
            let rig = try rig { $0.maxSlots = 3 }
            let holders = (0..<4).map { _ in rig.hold() }
            rig.clock.advance(by: .seconds(1))
            #expect(try gauge("carom_lent") == 3)
            #expect(try gauge("carom_idle") == 0)
            #expect(try gauge("carom_waiting") == 1)
            #expect(try gauge("carom_size", backend: "a (unix:/a)") == 3)
            for holder in holders { holder.release() }
            rig.clock.advance(by: .seconds(1))
            #expect(try gauge("carom_lent") == 0)
            #expect(try gauge("carom_idle") == 3)
            rig.resolver.publish([Backend(name: "b", address: .unix(path: "/b"))])
            rig.clock.advance(by: .seconds(2))
            #expect(try gauge("carom_size", backend: "b (unix:/b)") ?? 0 > 0)
            #expect(throws: (any Error).self) { try gauge("carom_size", backend: "a (unix:/a)") }
            _ = rig.stop()
            #expect(try gauge("carom_idle") == 0)
        }

        @Test func aClaimThatDoesNotWaitMakesNoEvent() throws {
            let rig = try rig()
            #expect(PoolMetrics(pool: "other", factory: metrics).observesClaims == false)
            let claim = try need(rig.claimIdle())
            let isParked = claim.park() != nil
            #expect(isParked, "an observer of every claim would not let it be parked")
        }

        @Test func failedClaimsAreCountedByTheirCode() throws {
            let rig = try rig { $0.maxWaiters = 1 }
            let holder = rig.hold()
            let late = rig.hold(timeout: .seconds(2))
            #expect(rig.hold().state == .failed(.queueFull))
            #expect(rig.hold(timeout: .zero).state == .failed(.exhausted))
            rig.clock.advance(by: .seconds(3))
            #expect(late.state == .failed(.exhausted))
            #expect(total("carom_claim_failures", code: "queueFull") == 1)
            #expect(total("carom_claim_failures", code: "exhausted") == 2)
            #expect(metrics.counterTotal(label: "carom_claim_failures") == 3)
            #expect(
                try metrics.expectTimer("carom_claim_wait", [("pool", "test")]).values.max() == 2_000_000_000)
            holder.release()
            rig.clock.runUntilQuiescent()
        }

        @Test func troubleWithConnectionsIsCounted() throws {
            var script = FakeConnector.Script()
            script.verdict = { _ in .recycle }
            script.onRecycle = { _ in .fail("dirty") }
            let rig = try rig(script: script)
            rig.hold().release()
            rig.clock.advance(by: .seconds(2))
            #expect(total("carom_recycle_failures") == 1)

            script.verdict = { _ in .clean }
            script.isValid = { _ in .fail("gone") }
            rig.connector.script = script
            rig.clock.advance(by: .seconds(120))
            #expect(total("carom_check_failures") >= 1)

            script.connect = { _ in .fail("no route") }
            rig.connector.script = script
            rig.clock.advance(by: .seconds(120))
            #expect(total("carom_connect_failures") >= 1)
            rig.clock.advance(by: .seconds(1))
            let totals = rig.pool.stats.totals
            #expect(total("carom_connects") == Int64(totals.connects))
            #expect(total("carom_connect_failures") == Int64(totals.connectFailures))
            #expect(total("carom_check_failures") == Int64(totals.checkFailures))
            #expect(total("carom_closes") == Int64(totals.closes))
        }

        @Test func forgottenAndRevokedLeasesAreCounted() throws {
            let rig = try rig { $0.leaseLimit = .seconds(30) }
            let pool = rig.pool
            _ = Task(executorPreference: rig.clock) { _ = try await pool.claim() }
            rig.clock.advance(by: .seconds(1))
            #expect(total("carom_forgotten") == 1)
            let holder = rig.hold()
            rig.clock.advance(by: .seconds(32))
            #expect(total("carom_revoked") == 1)
            holder.release()
            rig.clock.runUntilQuiescent()
        }
    }
#endif
