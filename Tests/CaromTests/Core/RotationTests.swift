// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Which of several idle connections is lent.
@Suite struct RotationTests {
    private static func rig(rotates: Bool) throws -> ShellRig {
        try ShellRig {
            $0.spares = 0
            $0.maxSlots = 3
            $0.perBackendMax = 3
            $0.shrink = .never
            $0.rotates = rotates
        }
    }

    /// The connections of claims one after the other, once there are three of them.
    private static func lent(_ rig: ShellRig, _ count: Int) -> [Int] {
        let first = (0..<3).map { _ in rig.hold() }
        rig.clock.advance(by: .milliseconds(10))
        for holder in first {
            holder.release()
            rig.clock.advance(by: .milliseconds(10))
        }
        return (0..<count).compactMap { _ in
            let holder = rig.hold()
            rig.clock.advance(by: .milliseconds(10))
            guard case .holding(let connection) = holder.state else { return nil }
            holder.release()
            rig.clock.advance(by: .milliseconds(10))
            return connection
        }
    }

    @Test func theOneUsedLastIsLentFirst() throws {
        let lent = Self.lent(try Self.rig(rotates: false), 6)
        #expect(lent.count == 6 && Set(lent).count == 1)
    }

    @Test func whereTheyTakeTurnsAllAreUsedAlike() throws {
        let lent = Self.lent(try Self.rig(rotates: true), 9)
        #expect(Set(lent.prefix(3)).count == 3)
        #expect(lent == Array(lent.prefix(3)) + Array(lent.prefix(3)) + Array(lent.prefix(3)))
    }

    @Test func aPreferenceDoesNotGoBeforeTheTurn() throws {
        let rig = try Self.rig(rotates: true)
        _ = Self.lent(rig, 1)
        let claim = try need(rig.claimIdle())
        let slot = claim.slot
        claim.recycle()
        rig.clock.advance(by: .milliseconds(10))
        let next = try need(rig.claimIdle(ClaimRequest(preferredSlot: slot)))
        #expect(next.slot != slot)
        next.recycle()
    }

    @Test func theOneIdleLongestIsClosedFirst() throws {
        let rig = try Self.rig(rotates: true)
        let lent = Self.lent(rig, 2)
        let claim = try need(rig.claimIdle())
        let third = claim.connection.number
        var policy = rig.pool.policy
        policy.maxSlots = 2
        try rig.pool.update(policy: policy)
        rig.clock.advance(by: .milliseconds(100))
        claim.recycle()
        rig.clock.advance(by: .milliseconds(100))
        #expect(rig.connector.open == 2)
        let left = try need(rig.claimIdle())
        let other = try need(rig.claimIdle())
        #expect([left.connection.number, other.connection.number] == [lent[1], third])
        left.recycle()
        other.recycle()
    }
}
