// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

/// What several pools may have together, and who comes first.
@Suite struct QuotaTests {
    private static let shop = QuotaGroup("database", "shop")
    private static let bob = QuotaGroup("user", "bob")
    private static let ms: Int64 = 1_000_000

    private static func granted(_ quota: inout Quota) -> [Int] {
        var order: [Int] = []
        while let member = quota.grant() { order.append(member) }
        return order
    }

    private static func keeps(_ quota: inout Quota, _ member: Int, since: Int64, now: Int64) -> Bool {
        quota.keeps(member, since: since, now: now)
    }

    private static func reports(
        _ quota: inout Quota, _ member: Int, wants: Bool, since: Int64, released: Int, now: Int64
    ) -> Bool {
        quota.report(member, wants: wants, since: since, released: released, now: now)
    }

    @Test func aPlaceIsThereUntilTheLimitIsReached() {
        var quota = Quota()
        let pool = quota.join([QuotaLimit(Self.shop, 2)], held: 0)
        for _ in 0..<2 {
            _ = quota.report(pool, wants: true, since: 5, released: 0, now: 0)
            #expect(Self.granted(&quota) == [pool])
        }
        _ = quota.report(pool, wants: true, since: 5, released: 0, now: 0)
        #expect(Self.granted(&quota) == [] && quota.held(Self.shop) == 2)
        #expect(quota.obstacles(of: pool) == [QuotaLimit(Self.shop, 2)])
        _ = quota.report(pool, wants: true, since: 5, released: 1, now: 0)
        #expect(Self.granted(&quota) == [pool] && quota.held(by: pool) == 2)
    }

    @Test func whatAGroupHasComeToIsTold() {
        var quota = Quota()
        let limits = [QuotaLimit(Self.shop, 2), QuotaLimit(Self.bob, 9)]
        let first = quota.join(limits, held: 2)
        let second = quota.join([QuotaLimit(Self.shop, 1)], held: 0)
        _ = quota.report(first, wants: true, since: .never, released: 0, now: 0)
        _ = quota.report(second, wants: true, since: 3 * Self.ms, released: 0, now: 0)
        #expect(
            Set(quota.uses(now: 10 * Self.ms)) == [
                QuotaUse(
                    Self.shop, limit: 2, held: 2, pools: 2, waiting: 1, oldestWait: .milliseconds(7)),
                QuotaUse(Self.bob, limit: 9, held: 2, pools: 1),
            ])
        quota.leave(first)
        quota.leave(second)
        #expect(quota.uses(now: 0).isEmpty)
    }

    @Test func whoHasWaitedLongestComesFirstWhateverThePool() {
        var quota = Quota()
        let pools = (0..<4).map { _ in quota.join([QuotaLimit(Self.shop, 4)], held: 0) }
        for (pool, since) in zip(pools, [30, 10, 40, 20] as [Int64]) {
            _ = quota.report(pool, wants: true, since: since, released: 0, now: 0)
        }
        #expect(Self.granted(&quota) == [pools[1], pools[3], pools[0], pools[2]])
    }

    @Test func whoHasLessThanItsShareComesBeforeTheOneThatFloods() {
        var quota = Quota()
        let flood = quota.join([QuotaLimit(Self.shop, 4)], held: 3)
        let other = quota.join([QuotaLimit(Self.shop, 4)], held: 0)
        _ = quota.report(flood, wants: true, since: 1, released: 0, now: 0)
        _ = quota.report(other, wants: true, since: 90, released: 0, now: 0)
        #expect(Self.granted(&quota) == [other])
    }

    @Test func aPoolWithNobodyWaitingComesLast() {
        var quota = Quota()
        let minimum = quota.join([QuotaLimit(Self.shop, 1)], held: 0)
        let waiting = quota.join([QuotaLimit(Self.shop, 1)], held: 0)
        _ = quota.report(minimum, wants: true, since: .never, released: 0, now: 0)
        _ = quota.report(waiting, wants: true, since: 100, released: 0, now: 0)
        #expect(Self.granted(&quota) == [waiting])
        #expect(quota.survey(1_000 * Self.ms) == [], "and nobody has to make room for it")
    }

    @Test func eachOfSeveralLimitsHolds() {
        var quota = Quota()
        let one = quota.join([QuotaLimit(Self.shop, 2), QuotaLimit(Self.bob, 1)], held: 0)
        let other = quota.join([QuotaLimit(Self.bob, 1)], held: 0)
        _ = quota.report(other, wants: true, since: 1, released: 0, now: 0)
        _ = quota.report(one, wants: true, since: 2, released: 0, now: 0)
        #expect(Self.granted(&quota) == [other])
        #expect(quota.obstacles(of: one) == [QuotaLimit(Self.bob, 1)])
        _ = quota.report(other, wants: false, since: .never, released: 1, now: 0)
        #expect(Self.granted(&quota) == [one])
    }

    @Test func theConnectionThatIsIdleLongestMakesRoom() {
        var quota = Quota()
        let limits = [QuotaLimit(Self.shop, 3)]
        let idle = (0..<3).map { _ in quota.join(limits, held: 1) }
        let needy = quota.join(limits, held: 0)
        _ = quota.report(needy, wants: true, since: 50, released: 0, now: 0)
        let now = 100 * Self.ms
        #expect(quota.survey(now) == idle)
        let found = quota.evictions(idle: [idle[0]: 30, idle[1]: 20, idle[2]: .never], now: now)
        #expect(found.map(\.member) == [idle[1]] && found.map(\.since) == [20], "one for one that waits")
        #expect(Self.granted(&quota) == [], "it is not closed yet")
        #expect(quota.survey(now + 1) == [], "and no other one is asked for meanwhile")
        #expect(Self.reports(&quota, idle[1], wants: false, since: .never, released: 1, now: 0))
        #expect(Self.granted(&quota) == [needy])
    }

    @Test func whatWasUsedAMomentAgoStaysWithAPoolThatHasNoMoreThanItsShare() {
        var quota = Quota()
        let modest = quota.join([QuotaLimit(Self.shop, 2)], held: 1)
        let greedy = quota.join([QuotaLimit(Self.shop, 2)], held: 1)
        _ = quota.report(greedy, wants: true, since: 50, released: 0, now: 0)
        #expect(quota.survey(0) != [])
        #expect(quota.evictions(idle: [modest: 0], now: Quota.patience - 1).isEmpty)
        #expect(quota.evictions(idle: [modest: 0], now: Quota.patience).map(\.member) == [modest])
    }

    @Test func whatItsOwnClaimsHaveNoUseForMakesRoomForThem() {
        var quota = Quota()
        let pool = quota.join([QuotaLimit(Self.shop, 1)], held: 1)
        #expect(Self.reports(&quota, pool, wants: true, since: 5, released: 0, now: 5))
        #expect(quota.survey(5) == [pool])
        #expect(quota.evictions(idle: [pool: 4], now: 5).map(\.member) == [pool], "no patience is needed")
        #expect(quota.evictions(idle: [pool: 4], now: 6).isEmpty, "one is on its way")
    }

    @Test func aPoolThatFloodsGivesUpWhatComesBackToIt() {
        var quota = Quota()
        let flood = quota.join([QuotaLimit(Self.shop, 4)], held: 4)
        let other = quota.join([QuotaLimit(Self.shop, 4)], held: 0)
        #expect(Self.keeps(&quota, flood, since: 1, now: 9), "nobody else wants it")
        _ = quota.report(flood, wants: true, since: 1, released: 0, now: 0)
        _ = quota.report(other, wants: true, since: 8, released: 0, now: 0)
        #expect(!Self.keeps(&quota, flood, since: 1, now: 9))
        #expect(Self.keeps(&quota, flood, since: 1, now: 9), "one is enough for one that waits")
        _ = quota.report(flood, wants: true, since: 2, released: 1, now: 0)
        #expect(Self.granted(&quota) == [other])
        _ = quota.report(other, wants: true, since: 9, released: 0, now: 0)
        #expect(!Self.keeps(&quota, flood, since: 2, now: 10), "the share of either is two")
        _ = quota.report(flood, wants: true, since: 2, released: 1, now: 0)
        #expect(Self.granted(&quota) == [other])
        _ = quota.report(other, wants: true, since: 9, released: 0, now: 0)
        #expect(Self.keeps(&quota, flood, since: 9, now: 11))
    }

    @Test func amongEqualsWhoWaitsForLongerGetsWhatComesBack() {
        var quota = Quota()
        let limits = [QuotaLimit(Self.shop, 2)]
        let holders = (0..<2).map { _ in quota.join(limits, held: 1) }
        let late = quota.join(limits, held: 0)
        let since = 100 * Self.ms
        _ = quota.report(late, wants: true, since: since, released: 0, now: 0)
        let now = since + 5 * Self.ms
        #expect(Self.keeps(&quota, holders[0], since: now - Self.ms, now: now))
        let later = since + Quota.patience + 2 * Self.ms
        #expect(Self.keeps(&quota, holders[0], since: since - Self.ms, now: later), "its own claim is older")
        #expect(!Self.keeps(&quota, holders[0], since: later, now: later))
    }

    @Test func exchangesAreRarerWhereConnectsTakeLong() {
        var quota = Quota()
        let limits = [QuotaLimit(Self.shop, 1)]
        let (holder, other) = (quota.join(limits, held: 1), quota.join(limits, held: 0))
        _ = quota.report(
            other, wants: true, since: 0, released: 0, connectTime: 20 * Self.ms, now: 0)
        #expect(Self.keeps(&quota, holder, since: 199 * Self.ms, now: 300 * Self.ms))
        #expect(quota.evictions(idle: [holder: 0], now: 39 * Self.ms).isEmpty)
        #expect(!Self.keeps(&quota, holder, since: 201 * Self.ms, now: 300 * Self.ms))
    }

    @Test func aWaiterThatLeavesFreesItsTurn() {
        var quota = Quota()
        let limits = [QuotaLimit(Self.shop, 1)]
        let holder = quota.join(limits, held: 1)
        let (first, second) = (quota.join(limits, held: 0), quota.join(limits, held: 0))
        _ = quota.report(first, wants: true, since: 1, released: 0, now: 0)
        _ = quota.report(second, wants: true, since: 2, released: 0, now: 0)
        _ = quota.report(first, wants: false, since: .never, released: 0, now: 0)
        _ = quota.report(holder, wants: false, since: .never, released: 1, now: 0)
        #expect(Self.granted(&quota) == [second])
    }

    @Test func aPlaceGrantedInVainIsGivenToTheNext() {
        var quota = Quota()
        let limits = [QuotaLimit(Self.shop, 1)]
        let (first, second) = (quota.join(limits, held: 0), quota.join(limits, held: 0))
        _ = quota.report(first, wants: true, since: 1, released: 0, now: 0)
        _ = quota.report(second, wants: true, since: 2, released: 0, now: 0)
        #expect(Self.granted(&quota) == [first])
        #expect(Self.reports(&quota, first, wants: false, since: .never, released: 1, now: 0))
        #expect(Self.granted(&quota) == [second])
    }

    @Test func aLimitThatIsLoweredIsReachedAsConnectionsAreFree() {
        var quota = Quota()
        let (one, other) = (
            quota.join([QuotaLimit(Self.shop, 6)], held: 3), quota.join([QuotaLimit(Self.shop, 6)], held: 3)
        )
        for pool in [one, other] { quota.change(pool, [QuotaLimit(Self.shop, 4)]) }
        #expect(quota.pressureChanges().map(\.member) == [one, other])
        #expect(quota.survey(0) == [one, other])
        #expect(quota.evictions(idle: [one: 0, other: .never], now: 0).map(\.member) == [one])
        #expect(!Self.keeps(&quota, other, since: 1, now: 2))
        #expect(Self.keeps(&quota, other, since: 1, now: 2), "two of six go")
        _ = quota.report(one, wants: false, since: .never, released: 1, now: 0)
        _ = quota.report(other, wants: false, since: .never, released: 1, now: 0)
        #expect(quota.held(Self.shop) == 4)
        #expect(quota.pressureChanges().map(\.isPressed) == [false, false])
    }

    @Test func pressureIsToldOnceAndTakenBack() {
        var quota = Quota()
        let holder = quota.join([QuotaLimit(Self.shop, 1)], held: 1)
        let stranger = quota.join([QuotaLimit(Self.bob, 1)], held: 1)
        let needy = quota.join([QuotaLimit(Self.shop, 1)], held: 0)
        #expect(quota.pressureChanges().isEmpty)
        _ = quota.report(needy, wants: true, since: 1, released: 0, now: 0)
        #expect(quota.pressureChanges().map(\.member) == [holder, needy])
        #expect(quota.pressureChanges().isEmpty)
        _ = quota.report(needy, wants: false, since: .never, released: 0, now: 0)
        #expect(quota.pressureChanges().map(\.isPressed) == [false, false])
        quota.leave(stranger)
        #expect(quota.held(Self.bob) == 0)
    }

    @Test(arguments: 0..<4)
    func whateverHappensTheBooksAreRight(_ part: Int) {
        let seed = UInt64(ModelTests.number("CAROM_SEED") ?? Int.random(in: 1...1_000_000_000) + part)
        print("quota walk, part \(part): CAROM_SEED=\(seed), \(ModelTests.events / 40) events")
        let walk = QuotaWalk(seed: seed)
        #expect(walk.run(ModelTests.events / 40) == nil, "CAROM_SEED=\(seed)")
    }
}
