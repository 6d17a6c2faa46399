// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Testing

@Suite struct PoolRetiringTests {
    @Test func anEmptiedPoolLetsGoOfConnectionsAndOpensNone() throws {
        let rig = try ShellRig { $0.maxSlots = 3 }
        let holder = rig.hold()
        rig.pool.empty()
        rig.clock.runUntilQuiescent()
        #expect(rig.pool.isSuspended && rig.pool.stats.slots == 1, "what is lent stays")
        let waiter = rig.hold(timeout: .seconds(600))
        rig.clock.advance(by: .seconds(5))
        #expect(waiter.state == .waiting && rig.pool.stats.slots == 1)
        holder.release()
        rig.clock.advance(by: .seconds(60))
        #expect(rig.pool.stats.slots == 0 && rig.connector.open == 0)
        rig.pool.resume()
        rig.clock.advance(by: .seconds(1))
        #expect(!rig.pool.isSuspended && rig.pool.stats.claimed == 1, "who waited is served")
        waiter.release()
    }

    @Test func connectsInFlightAreGivenUp() throws {
        let rig = try ShellRig(nil)
        rig.resolver.publish([Backend(name: "a", address: .unix(path: "/a"))])
        rig.pool.empty()
        rig.clock.advance(by: .seconds(60))
        #expect(rig.pool.stats.slots == 0 && rig.connector.open == 0)
    }

    @Test func anEmptiedPoolCanBeStopped() throws {
        let rig = try ShellRig()
        rig.pool.empty()
        rig.clock.runUntilQuiescent()
        #expect(rig.stop()?.revokedLeases.isEmpty == true)
        #expect(rig.pool.stats.state == .stopped)
    }

    @Test func retiredConnectionsMakeRoomForNewOnes() throws {
        let rig = try ShellRig { policy in
            policy.maxSlots = 2
            policy.spares = 1
        }
        let holder = rig.hold()
        let before = Set(rig.pool.connections.compactMap { $0.connection?.number })
        rig.pool.retireAll()
        rig.clock.advance(by: .seconds(1))
        #expect(rig.pool.connections.filter(\.isLeaving).count == 1 && rig.pool.stats.claimed == 1)
        holder.release()
        rig.clock.advance(by: .seconds(1))
        let after = Set(rig.pool.connections.compactMap { $0.connection?.number })
        #expect(!after.isEmpty && after.isDisjoint(with: before))
        #expect(rig.pool.stats.state == .running && rig.connector.closedOnce)
    }
}
