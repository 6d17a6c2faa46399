// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if ServiceLifecycle
    import Carom
    import CaromTesting
    import InMemoryLogging
    import Logging
    import ServiceLifecycle
    import ServiceLifecycleTestKit
    import Testing

    @Suite("Graceful shutdown")
    struct GracefulShutdownTests {
        /// When the pool's run ends, in virtual time since the rig's clock began.
        func end(of rig: ShellRig) -> Kept<Duration> {
            let end = Kept<Duration>()
            let (running, clock) = (rig.running, rig.clock)
            _ = Task(executorPreference: clock) {
                _ = await running.result
                end.value = clock.elapsed
            }
            clock.runUntilQuiescent()
            return end
        }

        @Test func leasesHaveThePolicysGraceAndRunEndsWithIt() async throws {
            try await testGracefulShutdown { trigger in
                let rig = try ShellRig { $0.stopGrace = .seconds(7) }
                let holder = rig.hold()
                let end = end(of: rig)
                trigger.triggerGracefulShutdown()
                rig.clock.runUntilQuiescent()
                #expect(rig.pool.stats.state == .stopping)
                #expect(rig.hold().state == .failed(.stopped))
                #expect(rig.connector.open == 1, "only the connection lent stays")
                rig.clock.advance(by: .milliseconds(6_999))
                #expect(end.value == nil)
                rig.clock.advance(by: .milliseconds(1))
                #expect(end.value == .seconds(7))
                #expect(rig.stop()?.revokedLeases.count == 1)
                holder.release()
                rig.clock.runUntilQuiescent()
                #expect(rig.connector.closedOnce)
            }
        }

        @Test func runEndsAsSoonAsTheLastLeaseIsBack() async throws {
            try await testGracefulShutdown { trigger in
                let rig = try ShellRig()
                let holder = rig.hold()
                let end = end(of: rig)
                trigger.triggerGracefulShutdown()
                rig.clock.advance(by: .seconds(2))
                #expect(end.value == nil)
                holder.release()
                rig.clock.runUntilQuiescent()
                #expect(end.value == .seconds(2))
                #expect(rig.stop()?.revokedLeases.isEmpty == true)
                #expect(rig.connector.open == 0 && !rig.resolver.isRunning)
            }
        }

        @Test func aShutdownThatComesBeforeRunIsNotMissed() async throws {
            try await testGracefulShutdown { trigger in
                trigger.triggerGracefulShutdown()
                let rig = try ShellRig()
                let end = end(of: rig)
                rig.clock.advance(by: .seconds(1))
                #expect(end.value == .zero)
                #expect(rig.pool.stats.state == .stopped)
            }
        }

        @Test func aServiceGroupRunsAndStopsAPool() async throws {
            let connector = FakeConnector()
            var policy = Policy()
            // Beside tests that take every core, half a minute is no time.
            policy.claimTimeout = nil
            let pool = try Pool(
                name: "test", resolver: StaticResolver([Backend(name: "a", address: .unix(path: "/a"))]),
                connector: connector, policy: policy)
            let group = ServiceGroup(
                configuration: .init(
                    services: [pool], logger: Logger(label: "test", factory: { _ in InMemoryLogHandler() })))
            async let running: Void = group.run()
            #expect(try await pool.withConnection { $0.number } >= 1)
            await group.triggerGracefulShutdown()
            try await running
            #expect(pool.stats.state == .stopped)
            #expect(connector.closedOnce)
        }
    }
#endif
