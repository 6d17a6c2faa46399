// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Testing

@Suite("Resolvers")
struct ResolverTests {
    private static func backend(_ name: String) -> Backend {
        Backend(name: name, address: .unix(path: "/\(name)"))
    }

    @Test func aResolverThatEndsLeavesItsLastSet() throws {
        let rig = try ShellRig()
        rig.resolver.end()
        rig.clock.advance(by: .seconds(60))
        #expect(rig.pool.stats.backends.count == 1)
        #expect(rig.pool.stats.idle == 2)
    }

    @Test func repetitionsAndDuplicatesChangeNothing() throws {
        let rig = try ShellRig()
        let opened = rig.connector.opened
        for _ in 0..<100 { rig.resolver.publish([Self.backend("a"), Self.backend("a")]) }
        rig.clock.advance(by: .seconds(5))
        #expect(rig.connector.opened == opened && rig.connector.closed == 0)
        #expect(rig.pool.stats.backends.count == 1)
    }

    @Test func aThousandBackendsAndBack() throws {
        let rig = try ShellRig()
        rig.resolver.publish((0..<1_000).map { Self.backend("b\($0)") })
        rig.clock.advance(by: .seconds(5))
        #expect(rig.pool.stats.backends.count == 1_000)
        #expect(rig.pool.stats.idle == 2)
        for _ in 0..<50 {
            rig.resolver.publish([])
            rig.resolver.publish([Self.backend("a")])
        }
        rig.clock.advance(by: .seconds(5))
        #expect(rig.pool.stats.backends.map(\.backend.name) == ["a"])
        #expect(rig.pool.stats.idle == 2)
        _ = rig.stop()
        #expect(rig.connector.open == 0 && rig.connector.closedOnce)
    }

    @Test func aSharedResolverRunsOnceAndIsHandedOn() {
        let clock = ManualClock()
        let base = ScriptedResolver([Self.backend("a")])
        let shared = SharedResolver(base)
        let seen = (0..<3).map { _ in Kept<[BackendSet]>() }
        let tasks = seen.map { kept in
            Task(executorPreference: clock) {
                await shared.run { kept.value = (kept.value ?? []) + [$0] }
            }
        }
        clock.runUntilQuiescent()
        #expect(base.runs == 1)
        #expect(seen.allSatisfy { $0.value?.last?.backends.map(\.name) == ["a"] })
        tasks[0].cancel()
        clock.runUntilQuiescent()
        #expect(base.runs == 2)
        base.publish([Self.backend("b")])
        #expect(seen[0].value?.last?.backends.map(\.name) == ["a"])
        #expect(seen[1].value?.last?.backends.map(\.name) == ["b"])
        #expect(seen[2].value?.last?.backends.map(\.name) == ["b"])
        tasks[2].cancel()
        tasks[1].cancel()
        clock.runUntilQuiescent()
        #expect(!base.isRunning && base.runs == 2)
    }

    @Test(arguments: [CompositeResolver.Rule.merge, .fallback])
    func compositesMergeOrFallBack(rule: CompositeResolver.Rule) {
        let clock = ManualClock()
        let (one, two) = (ScriptedResolver(), ScriptedResolver([Self.backend("b"), Self.backend("c")]))
        let seen = Kept<[String]>()
        let composite = CompositeResolver([one, two], rule: rule)
        let task = Task(executorPreference: clock) {
            await composite.run { seen.value = $0.backends.map(\.name) }
        }
        clock.runUntilQuiescent()
        #expect(seen.value == ["b", "c"])
        one.publish([Self.backend("a"), Self.backend("b")])
        #expect(seen.value == (rule == .merge ? ["a", "b", "c"] : ["a", "b"]))
        one.publish([])
        #expect(seen.value == ["b", "c"])
        task.cancel()
        clock.runUntilQuiescent()
        #expect(!one.isRunning && !two.isRunning)
    }

    @Test func aStaticResolverReadsLists() throws {
        let resolver = try StaticResolver(parsing: "10.0.0.1:1, [::1]:2\n/run/x", defaultPort: nil)
        #expect(resolver.set.backends.map(\.address.description) == ["10.0.0.1:1", "[::1]:2", "unix:/run/x"])
        #expect(throws: BackendAddressError.self) { try StaticResolver(parsing: "10.0.0.1") }
    }
}
