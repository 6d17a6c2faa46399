// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Real pools under limits that they share.
@Suite struct SharedQuotaTests {
    private static let group = QuotaGroup("database", "shop")

    /// Pools that may have so many connections together, on one clock.
    private struct House {
        let clock = ManualClock()
        let quota = SharedQuota()
        var rigs: [ShellRig] = []

        init(
            _ pools: Int, limit: Int, of backends: [Backend]? = nil,
            script: FakeConnector.Script = FakeConnector.Script()
        ) throws {
            for _ in 0..<pools {
                let rig = try ShellRig(
                    backends ?? [Backend(name: "a", address: .unix(path: "/a"))], script: script,
                    observer: QuietLog(), clock: clock
                ) {
                    $0.spares = 0
                    $0.maxSlots = 20
                    $0.perBackendMax = 20
                    $0.shrink = .never
                }
                rig.pool.share(quota, limits: [QuotaLimit(SharedQuotaTests.group, limit)])
                rigs.append(rig)
            }
        }

        var count: Int { quota.count(SharedQuotaTests.group) }
        var open: Int { rigs.reduce(0) { $0 + $1.connector.open } }

        func change(_ limit: Int?) {
            for rig in rigs {
                rig.pool.share(
                    quota, limits: limit.map { [QuotaLimit(SharedQuotaTests.group, $0)] } ?? [])
            }
            clock.runUntilQuiescent()
        }
    }

    private static func isServed(_ holder: Holder) -> Bool {
        if case .holding = holder.state { true } else { false }
    }

    @Test func thereAreNoMoreThanTheLimitOverAllPools() throws {
        let house = try House(3, limit: 4)
        let holders = house.rigs.flatMap { rig in (0..<3).map { _ in rig.hold() } }
        #expect(holders.count(where: Self.isServed) == 4 && house.count == 4 && house.open == 4)
        for holder in holders {
            holder.release()
            house.clock.advance(by: .seconds(1))
            #expect(house.count <= 4 && house.open <= 4)
        }
        #expect(holders.allSatisfy(Self.isServed))
    }

    @Test func anIdleConnectionOfAnotherPoolMakesRoom() throws {
        let house = try House(2, limit: 1)
        house.rigs[0].hold().release()
        house.clock.runUntilQuiescent()
        #expect(house.rigs[0].connector.open == 1)
        let other = house.rigs[1].hold()
        house.clock.advance(by: .milliseconds(20))
        #expect(Self.isServed(other) && house.open == 1 && house.rigs[0].connector.open == 0)
    }

    @Test func theOneIdleLongestGoes() throws {
        let house = try House(3, limit: 2)
        for rig in house.rigs.prefix(2) {
            rig.hold().release()
            house.clock.advance(by: .seconds(1))
        }
        let other = house.rigs[2].hold()
        house.clock.advance(by: .milliseconds(20))
        #expect(Self.isServed(other) && house.rigs.map(\.connector.open) == [0, 1, 1])
    }

    /// A primary and a standby, of which only a connection knows which it is.
    private static var pair: (backends: [Backend], script: FakeConnector.Script) {
        var script = FakeConnector.Script()
        script.attributes = { ["role": $0.name == "a" ? "primary" : "standby"] }
        let backends = ["a", "b"].map { (name: String) in
            Backend(name: name, address: .unix(path: "/\(name)"))
        }
        return (backends, script)
    }

    @Test func anIdleConnectionOfAnotherKindMakesRoomForThePoolsOwnClaim() throws {
        let (backends, script) = Self.pair
        let house = try House(1, limit: 1, of: backends, script: script)
        let rig = house.rigs[0]
        for turn in 0..<6 {
            let holder = rig.hold(ClaimRequest(role: turn.isMultiple(of: 2) ? .standby : .primary))
            house.clock.advance(by: .milliseconds(500))
            #expect(Self.isServed(holder) && house.open == 1 && house.count == 1, "turn \(turn)")
            holder.release()
            house.clock.runUntilQuiescent()
        }
    }

    @Test func whatComesBackWhileAClaimOfAnotherKindWaitsMakesRoomForIt() throws {
        let (backends, script) = Self.pair
        let house = try House(2, limit: 1, of: backends, script: script)
        let reader = house.rigs[0].hold(ClaimRequest(role: .standby))
        house.clock.advance(by: .seconds(1))
        let writer = house.rigs[0].hold(ClaimRequest(role: .primary))
        house.clock.advance(by: .seconds(1))
        #expect(Self.isServed(reader) && !Self.isServed(writer))
        reader.release()
        house.clock.advance(by: .milliseconds(500))
        #expect(Self.isServed(writer) && house.open == 1)
    }

    @Test func theClaimsOfASuspendedPoolWaitForNoPlace() throws {
        let house = try House(2, limit: 1)
        house.rigs[0].hold().release()
        house.clock.runUntilQuiescent()
        house.rigs[0].pool.suspend()
        let waiting = house.rigs[0].hold()
        house.clock.advance(by: .seconds(2))
        #expect(!Self.isServed(waiting) && house.rigs[0].connector.opened == 1 && house.open == 1)
        house.rigs[0].pool.resume()
        house.clock.runUntilQuiescent()
        #expect(Self.isServed(waiting) && house.rigs[0].connector.opened == 1)
    }

    @Test func aParkedConnectionMakesRoom() throws {
        let house = try House(2, limit: 1)
        house.rigs[0].hold().release()
        house.clock.runUntilQuiescent()
        let claim = try need(house.rigs[0].claimIdle())
        let parked = try need(claim.park())
        let other = house.rigs[1].hold()
        house.clock.advance(by: .milliseconds(50))
        #expect(Self.isServed(other))
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
    }

    @Test func aPoolThatFloodsLetsOthersIn() throws {
        let house = try House(2, limit: 2)
        let flood = (0..<6).map { _ in house.rigs[0].hold() }
        let other = house.rigs[1].hold()
        #expect(!Self.isServed(other))
        flood[0].release()
        house.clock.advance(by: .milliseconds(1))
        #expect(
            Self.isServed(other) && flood.count(where: Self.isServed) == 2, "one still, and one that has gone"
        )
        other.release()
        for holder in flood { holder.release() }
        house.clock.advance(by: .seconds(1))
        #expect(flood.allSatisfy(Self.isServed))
    }

    @Test func whoWaitsLongestIsServedFirstWhateverThePool() throws {
        let house = try House(4, limit: 1)
        let first = house.rigs[0].hold()
        var waiting: [Holder] = []
        for pool in [2, 1, 3] {
            waiting.append(house.rigs[pool].hold())
            house.clock.advance(by: .milliseconds(50))
        }
        first.release()
        for served in waiting.indices {
            house.clock.advance(by: .milliseconds(200))
            #expect(waiting.map(Self.isServed) == waiting.indices.map { $0 <= served })
            waiting[served].release()
        }
    }

    @Test func aWaiterThatLeavesFreesItsTurn() throws {
        let house = try House(3, limit: 1)
        let first = house.rigs[0].hold()
        let gone = house.rigs[1].hold()
        house.clock.advance(by: .milliseconds(50))
        let last = house.rigs[2].hold()
        gone.cancel?()
        house.clock.runUntilQuiescent()
        first.release()
        house.clock.advance(by: .milliseconds(200))
        #expect(Self.isServed(last) && house.rigs[1].connector.opened == 0)
    }

    @Test func aFailedConnectGivesItsPlaceBack() throws {
        var script = FakeConnector.Script()
        script.connect = { _ in .fail("no") }
        let house = try House(2, limit: 1, script: script)
        let bad = house.rigs[0].hold()
        house.rigs[1].connector.script = FakeConnector.Script()
        let good = house.rigs[1].hold()
        house.clock.advance(by: .seconds(1))
        #expect(Self.isServed(good) && !Self.isServed(bad) && house.count == 1)
    }

    @Test func aConnectUnderWayCounts() throws {
        var script = FakeConnector.Script()
        script.connectDelay = .seconds(3)
        let house = try House(2, limit: 1, script: script)
        let first = house.rigs[0].hold()
        let second = house.rigs[1].hold()
        house.clock.advance(by: .seconds(2))
        #expect(house.count == 1 && house.rigs[1].connector.attempts.isEmpty)
        house.clock.advance(by: .seconds(2))
        #expect(Self.isServed(first) && !Self.isServed(second))
    }

    @Test func aPoolThatStopsLeavesItsPlacesToOthers() throws {
        let house = try House(2, limit: 1)
        _ = house.rigs[0].hold()
        let other = house.rigs[1].hold()
        #expect(!Self.isServed(other))
        #expect(house.rigs[0].stop(grace: .zero) != nil)
        #expect(Self.isServed(other) && house.count == 1)
    }

    @Test func aLimitIsRaisedLoweredAndTakenAway() throws {
        let house = try House(2, limit: 2)
        let holders = house.rigs.flatMap { rig in (0..<3).map { _ in rig.hold() } }
        #expect(house.open == 2)
        house.change(4)
        house.clock.advance(by: .seconds(1))
        #expect(house.open == 4 && holders.count(where: Self.isServed) == 4)
        house.change(1)
        for holder in holders { holder.release() }
        house.clock.advance(by: .seconds(2))
        #expect(holders.allSatisfy(Self.isServed) && house.open == 1 && house.count == 1)
        house.change(nil)
        let more = house.rigs.flatMap { rig in (0..<3).map { _ in rig.hold() } }
        house.clock.advance(by: .seconds(1))
        #expect(more.allSatisfy(Self.isServed) && house.open == 6 && house.count == 0)
    }

    @Test func whoGetsNoneIsToldWhichLimitItIs() throws {
        let house = try House(2, limit: 1)
        _ = house.rigs[0].hold()
        let error = house.rigs[1].claimError(timeout: .milliseconds(300))
        #expect(error?.code == .exhausted)
        #expect(error?.message == "exhausted: 0 of 20 in use, and all 1 that database \"shop\" may have")
    }
}
