// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Connections beyond the pool's size, for claims that have waited too long.
@Suite struct ReserveTests {
    private static func rig() throws -> ShellRig {
        try ShellRig {
            $0.spares = 0
            $0.maxSlots = 2
            $0.perBackendMax = 20
            $0.reserveSlots = 2
            $0.reserveAfter = .seconds(5)
            $0.claimTimeout = nil
            $0.shrink = .never
        }
    }

    private static func served(_ holders: [Holder]) -> Int {
        holders.count { if case .holding = $0.state { true } else { false } }
    }

    @Test func itOpensForAClaimThatHasWaitedLongEnough() throws {
        let rig = try Self.rig()
        let holders = (0..<5).map { _ in rig.hold() }
        rig.clock.advance(by: .milliseconds(4_999))
        #expect(Self.served(holders) == 2 && rig.pool.stats.totals.reserveOpenings == 0)
        rig.clock.advance(by: .milliseconds(2))
        #expect(
            Self.served(holders) == 4 && rig.connector.open == 4, "and not for one more than there may be")
        #expect(rig.pool.stats.totals.reserveOpenings == 1 && rig.pool.stats.maxSlots == 4)
    }

    @Test func itStaysClosedWhileClaimsAreServedInTime() throws {
        let rig = try Self.rig()
        var holders = (0..<2).map { _ in rig.hold() }
        for _ in 0..<20 {
            holders.append(rig.hold())
            rig.clock.advance(by: .seconds(4))
            holders.removeFirst().release()
            rig.clock.runUntilQuiescent()
        }
        #expect(rig.connector.opened == 2 && rig.pool.stats.totals.reserveOpenings == 0)
    }

    @Test func itClosesWhenItWasNotNeededForAsLong() throws {
        let rig = try Self.rig()
        let holders = (0..<3).map { _ in rig.hold() }
        rig.clock.advance(by: .seconds(6))
        #expect(rig.connector.open == 3)
        for holder in holders { holder.release() }
        rig.clock.advance(by: .seconds(4))
        #expect(rig.pool.stats.maxSlots == 4, "it may be needed again at once")
        rig.clock.advance(by: .seconds(7))
        #expect(rig.pool.stats.maxSlots == 2 && rig.connector.open == 2)
        #expect(rig.events.all.contains { if case .reserveClosed = $0 { true } else { false } })
    }

    @Test func aLargerPoolNeedsNone() throws {
        let rig = try Self.rig()
        let holders = (0..<3).map { _ in rig.hold() }
        rig.clock.advance(by: .seconds(6))
        var policy = rig.pool.policy
        policy.maxSlots = 3
        policy.reserveSlots = 0
        try rig.pool.update(policy: policy)
        rig.clock.advance(by: .seconds(1))
        #expect(rig.pool.stats.maxSlots == 3 && Self.served(holders) == 3 && rig.connector.open == 3)
    }
}
