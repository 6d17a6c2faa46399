// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// Connections that stay with their last holder while nobody else needs them.
@Suite struct ParkingTests {
    private let log = QuietLog()

    private func rig(
        _ backends: [Backend] = [Backend(name: "a", address: .unix(path: "/a"))],
        script: FakeConnector.Script = FakeConnector.Script(), _ change: (inout Policy) -> Void = { _ in }
    ) throws -> ShellRig {
        try ShellRig(backends, script: script, observer: log) { policy in
            policy.spares = 0
            policy.maxSlots = 1
            policy.validationBypass = nil
            policy.shrink = .never
            change(&policy)
        }
    }

    /// A pool has its first connection when somebody has asked for it.
    private func open(_ rig: ShellRig, _ count: Int = 1, _ request: ClaimRequest = .any) {
        let holders = (0..<count).map { _ in rig.hold(request) }
        rig.clock.advance(by: .milliseconds(1))
        for holder in holders { holder.release() }
        rig.clock.runUntilQuiescent()
    }

    @Test func aParkedConnectionIsReclaimedByItsHolderAndCountsAsIdleMeanwhile() throws {
        let rig = try rig()
        open(rig)
        let before = rig.pool.stats.totals.claims
        var claim = try need(rig.claimIdle())
        let slot = claim.slot
        for _ in 0..<5 {
            let parked = try need(claim.park())
            #expect(parked.slot == slot && parked.connection.number == 1)
            #expect(rig.pool.stats.idle == 1 && rig.pool.stats.claimed == 0)
            claim = try need(parked.reclaim())
            #expect(rig.pool.stats.idle == 0 && rig.pool.stats.claimed == 1)
        }
        #expect(rig.pool.stats.totals.claims == before + 6)
        claim.recycle()
        #expect(rig.pool.stats.totals.claims == before + 6)
        #expect(rig.pool.stats.backends[0].totalClaims == before + 6)
    }

    @Test func aClaimThatFindsNoIdleConnectionTakesAParkedOne() throws {
        let rig = try rig()
        open(rig)
        let parked = try need(try need(rig.claimIdle()).park())
        let other = try need(rig.claimIdle())
        #expect(other.connection.number == 1 && rig.pool.stats.claimed == 1)
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
        other.recycle()
        #expect(rig.pool.stats.idle == 1)
    }

    @Test func aHolderWhoseConnectionWasTakenDoesNotMistakeItForItsOwn() throws {
        let rig = try rig()
        open(rig)
        let mine = try need(try need(rig.claimIdle()).park())
        let theirs = try need(try need(rig.claimIdle()).park())
        #expect(mine.slot == theirs.slot)
        let wasMineTaken = isTaken(mine)
        #expect(wasMineTaken)
        let wasTheirsTaken = isTaken(theirs)
        #expect(!wasTheirsTaken)
    }

    @Test func parkingServesAWaiterInstead() throws {
        let rig = try rig()
        open(rig)
        let claim = try need(rig.claimIdle())
        let waiter = rig.hold()
        #expect(waiter.state == .waiting)
        let wasRefused = isRefused(claim)
        #expect(wasRefused)
        rig.clock.runUntilQuiescent()
        #expect(waiter.state == .holding(1))
        waiter.release()
    }

    @Test func aWaiterNeverWaitsBesideAParkedConnection() throws {
        let rig = try rig()
        open(rig)
        let parked = try need(try need(rig.claimIdle()).park())
        let waiter = rig.hold()
        #expect(waiter.state == .holding(1))
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
        waiter.release()
    }

    @Test func onlyAParkedConnectionThatMeetsTheRequirementIsTaken() throws {
        var script = FakeConnector.Script()
        script.attributes = { ["role": $0.name == "a" ? "primary" : "standby"] }
        let backends = ["a", "b"].map { Backend(name: $0, address: .unix(path: "/" + $0)) }
        let rig = try rig(backends, script: script) { $0.maxSlots = 2 }
        var (primary, standby) = (ClaimRequest.any, ClaimRequest.any)
        primary.requirement = ["role": "primary"]
        standby.requirement = ["role": "standby"]
        open(rig, 1, primary)
        open(rig, 1, standby)
        let one = try need(try need(rig.claimIdle(primary)).park())
        let two = try need(try need(rig.claimIdle(standby)).park())
        let taken = try need(rig.claimIdle(standby))
        #expect(taken.connection.backend.name == "b")
        let wasOneTaken = isTaken(one)
        #expect(!wasOneTaken)
        let wasTwoTaken = isTaken(two)
        #expect(wasTwoTaken)
        taken.recycle()
    }

    @Test func aParkedConnectionThatDoesNotSuitAWaiterIsNotCountedAgainstItsConnect() throws {
        var script = FakeConnector.Script()
        script.attributes = { ["role": $0.name == "a" ? "primary" : "standby"] }
        let backends = ["a", "b"].map { Backend(name: $0, address: .unix(path: "/" + $0)) }
        let rig = try rig(backends, script: script) { $0.maxSlots = 2 }
        var (primary, standby) = (ClaimRequest.any, ClaimRequest.any)
        primary.requirement = ["role": "primary"]
        standby.requirement = ["role": "standby"]
        open(rig, 1, primary)
        open(rig, 1, standby)
        let lent = try need(rig.claimIdle(primary))
        let parked = try need(try need(rig.claimIdle(standby)).park())
        // The first sweep counts the parked connection: demand falls, the plan stays at two.
        rig.clock.advance(by: .milliseconds(1100))
        lent.discard(blame: false)
        let waiter = rig.hold(primary)
        rig.clock.advance(by: .milliseconds(1))
        #expect(waiter.state == .holding(3))
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
    }

    @Test func aConnectionReclaimedSinceItWasCountedCountsAsLentWhenAClaimWaits() throws {
        let rig = try rig { $0.maxSlots = 2 }
        open(rig, 2)
        let lent = try need(rig.claimIdle())
        let parked = try need(try need(rig.claimIdle()).park())
        rig.clock.advance(by: .milliseconds(1100))
        let reclaimed = try need(parked.reclaim())
        lent.discard(blame: false)
        let waiter = rig.hold()
        rig.clock.advance(by: .milliseconds(1))
        #expect(waiter.state == .holding(3))
        reclaimed.recycle()
    }

    @Test func aSweepThatFindsConnectionsReclaimedOpensTheSparesTheyNeed() throws {
        let rig = try rig {
            $0.maxSlots = 2
            $0.spares = 1
        }
        open(rig)
        let lent = try need(rig.claimIdle())
        let parked = try need(try need(rig.claimIdle()).park())
        rig.clock.advance(by: .milliseconds(1100))
        lent.discard(blame: false)
        rig.clock.advance(by: .milliseconds(1))
        #expect(rig.connector.open == 1)
        let reclaimed = try need(parked.reclaim())
        rig.clock.advance(by: .seconds(1))
        #expect(rig.connector.open == 2 && rig.pool.stats.idle == 1)
        reclaimed.recycle()
    }

    @Test func aParkedConnectionIsClosedAtOnceWhenItsBackendDrains() throws {
        let rig = try rig()
        open(rig)
        let parked = try need(try need(rig.claimIdle()).park())
        rig.resolver.publish([Backend(name: "b", address: .unix(path: "/b"))])
        rig.clock.advance(by: .milliseconds(1))
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
        #expect(rig.connector.connections[0].closes == 1 && log.closings.first == .backendRemoved)
    }

    @Test func aConnectionInUseIsGivenBackForRealOnceItsBackendDrains() throws {
        let rig = try rig()
        open(rig)
        let parked = try need(try need(rig.claimIdle()).park())
        let claim = try need(parked.reclaim())
        rig.resolver.publish([Backend(name: "b", address: .unix(path: "/b"))])
        rig.clock.advance(by: .milliseconds(1))
        #expect(rig.connector.connections[0].closes == 0)
        let wasRefused = isRefused(claim)
        #expect(wasRefused)
        rig.clock.advance(by: .milliseconds(1))
        #expect(rig.connector.connections[0].closes == 1)
    }

    @Test(arguments: [false, true])
    func soIsOneOfAPoolInWhichNothingWasParkedYet(isHeldBack: Bool) throws {
        let rig = try rig { $0.maxSlots = 2 }
        open(rig)
        let claim = try need(rig.claimIdle())
        let (used, other) = (claim.backend, Backend(name: "b", address: .unix(path: "/b")))
        rig.resolver.publish(isHeldBack ? [used, other] : [other])
        if isHeldBack { rig.pool.holdBack([used.id: HoldReason("lags")]) }
        rig.clock.advance(by: .milliseconds(1))
        let wasRefused = isRefused(claim)
        #expect(wasRefused)
        rig.clock.advance(by: .milliseconds(1))
        #expect(rig.connector.connections[0].closes == 1)
    }

    @Test func stoppingClosesParkedConnectionsWithoutRevokingAnything() throws {
        let rig = try rig()
        open(rig)
        let parked = try need(try need(rig.claimIdle()).park())
        let report = rig.stop(grace: .zero)
        #expect(report?.revokedLeases.isEmpty == true && rig.connector.open == 0)
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
    }

    @Test func nothingIsParkedWhileThePoolIsSuspended() throws {
        let rig = try rig { $0.maxSlots = 2 }
        open(rig, 2)
        let parked = try need(try need(rig.claimIdle()).park())
        let claim = try need(rig.claimIdle())
        rig.pool.suspend()
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
        let wasRefused = isRefused(claim)
        #expect(wasRefused)
        rig.pool.resume()
        let wasRefusedLater = try isRefused(need(rig.claimIdle()))
        #expect(!wasRefusedLater)
    }

    @Test func aParkedConnectionIsIdleSinceItWasParked() throws {
        let rig = try rig { $0.shrink = .afterIdle(.seconds(10)) }
        open(rig)
        let parked = try need(try need(rig.claimIdle()).park())
        rig.clock.advance(by: .seconds(8))
        #expect(rig.connector.open == 1)
        rig.clock.advance(by: .seconds(3))
        #expect(rig.connector.open == 0 && log.closings == [.surplus])
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
    }

    @Test func aConnectionInSteadyUseStaysWithItsHolder() throws {
        let rig = try rig { $0.shrink = .afterIdle(.seconds(10)) }
        open(rig)
        var claim = try need(rig.claimIdle())
        for _ in 0..<200 {
            let parked = try need(claim.park())
            rig.clock.advance(by: .milliseconds(300))
            claim = try need(parked.reclaim())
        }
        claim.recycle()
        #expect(rig.connector.opened == 1 && rig.connector.open == 1)
    }

    @Test func aConnectionInSteadyUseEndsAtItsAge() throws {
        let rig = try rig {
            $0.maxLifetime = .seconds(60)
            $0.lifetimeSpread = 0
        }
        open(rig)
        var claim = rig.claimIdle()
        var rounds = 0
        while let held = claim.take() {
            guard let parked = held.park() else { break }
            // In use at each sweep, parked only in between.
            claim = parked.reclaim()
            rig.clock.advance(by: .milliseconds(250))
            rounds += 1
        }
        #expect(rounds >= 239 && rounds <= 246)
        rig.clock.advance(by: .seconds(1))
        #expect(rig.connector.open == 0 && log.closings == [.tooOld])
    }

    @Test func aParkedConnectionIsCheckedLikeAnIdleOne() throws {
        let rig = try rig {
            $0.healthInterval = .seconds(5)
            $0.healthSpread = 0
        }
        open(rig)
        let parked = try need(try need(rig.claimIdle()).park())
        let before = rig.connector.connections[0].checks
        rig.clock.advance(by: .seconds(7))
        #expect(rig.connector.connections[0].checks == before + 1)
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
    }

    @Test func suspicionReachesParkedConnections() throws {
        let rig = try rig()
        open(rig)
        let claim = try need(rig.claimIdle())
        let backend = claim.backend.id
        let parked = try need(claim.park())
        let before = rig.connector.connections[0].checks
        rig.pool.markSuspect(backend)
        rig.clock.advance(by: .seconds(1))
        #expect(rig.connector.connections[0].checks == before + 1)
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
    }

    @Test func aSmallerPolicyTakesParkedConnectionsIn() throws {
        let rig = try rig { $0.maxSlots = 3 }
        open(rig, 3)
        let one = try need(try need(rig.claimIdle()).park())
        let two = try need(try need(rig.claimIdle()).park())
        var policy = rig.pool.policy
        policy.maxSlots = 1
        try rig.pool.update(policy: policy)
        rig.clock.advance(by: .seconds(1))
        #expect(rig.connector.open <= 1)
        let wasOneTaken = isTaken(one)
        let wasTwoTaken = isTaken(two)
        #expect(wasOneTaken && wasTwoTaken)
    }

    @Test func parkedConnectionsDoNotCountAsDemand() throws {
        let rig = try rig {
            $0.maxSlots = 16
            $0.spares = 2
        }
        open(rig)
        // Holders come one after another, each rests when the next one works.
        var parked: [Parked] = []
        for _ in 0..<8 {
            let claim = try need(rig.claimIdle())
            rig.clock.advance(by: .milliseconds(10))
            parked.append(Parked(claim.park()))
        }
        #expect(rig.connector.opened <= 4)
        #expect(rig.pool.stats.claimed == 0)
    }

    @Test(arguments: [1, 2, 3])
    func whereEveryClaimMustBeSeenNothingIsParked(reason: Int) throws {
        let rig = try rig { policy in
            if reason == 1 { policy.leakThreshold = .seconds(5) }
            if reason == 2 { policy.leaseLimit = .seconds(5) }
            if reason == 3 { policy.validationBypass = .zero }
        }
        let holding = Kept<Bool>()
        let pool = rig.pool
        _ = Task(executorPreference: rig.clock) { holding.value = try await pool.claim().park() != nil }
        rig.clock.advance(by: .seconds(1))
        #expect(holding.value == false)
        #expect(pool.stats.idle == 1)
    }

    @Test func anObserverOfEveryClaimSeesEveryClaim() throws {
        let rig = try ShellRig { $0.maxSlots = 1 }
        open(rig)
        let wasRefused = try isRefused(need(rig.claimIdle()))
        #expect(wasRefused)
    }

    @Test func aParkedClaimThatIsReleasedOrForgottenIsGivenBack() throws {
        let rig = try rig()
        open(rig)
        let parked = try need(try need(rig.claimIdle()).park())
        parked.release()
        #expect(rig.pool.stats.idle == 1)
        do { _ = try need(try need(rig.claimIdle()).park()) }
        #expect(rig.pool.stats.idle == 1 && rig.connector.closed == 0)
        #expect(rig.pool.stats.totals.forgotten == 0)
    }
}

/// A parked claim in a list.
final class Parked {
    private var claim: ParkedClaim<FakeConnection>?
    init(_ claim: consuming ParkedClaim<FakeConnection>?) { self.claim = claim }
}
