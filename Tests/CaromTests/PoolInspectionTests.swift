// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Testing

@Suite struct PoolInspectionTests {
    @Test func connectionsAreReportedWithWhatIsDoneWithThem() throws {
        let rig = try ShellRig { $0.maxSlots = 2 }
        let holder = rig.hold()
        #expect(
            rig.pool.connections.map(\.state) == [.claimed, .idle]
                || rig.pool.connections.map(\.state) == [.idle, .claimed])
        #expect(Set(rig.pool.connections.compactMap { $0.connection?.number }).count == 2)
        #expect(rig.pool.connections.allSatisfy { $0.backend.name == "a" && !$0.isLeaving })
        holder.release()
        rig.clock.runUntilQuiescent()
        #expect(rig.pool.connections.map(\.state) == [.idle, .idle])
    }

    @Test func aConnectionOfAnAgeIsLeaving() throws {
        let rig = try ShellRig { policy in
            policy.maxSlots = 1
            policy.maxLifetime = .seconds(60)
        }
        let holder = rig.hold()
        rig.clock.advance(by: .seconds(61))
        #expect(rig.pool.connections.map(\.isLeaving) == [true])
        holder.release()
    }

    @Test func whoWaitsIsReportedWithTheTime() throws {
        let rig = try ShellRig { $0.maxSlots = 1 }
        let holders = [rig.hold(), rig.hold()]
        rig.clock.advance(by: .seconds(3))
        let more = rig.hold()
        rig.clock.advance(by: .seconds(2))
        #expect(rig.pool.waiters.map(\.waited).sorted() == [.seconds(2), .seconds(5)])
        #expect(rig.pool.waiters.allSatisfy { $0.requirement.isEmpty && !$0.isBeingServed })
        holders[0].release()
        rig.clock.runUntilQuiescent()
        #expect(rig.pool.waiters.map(\.waited) == [.seconds(2)])
        for holder in holders + [more] { holder.release() }
    }
}
