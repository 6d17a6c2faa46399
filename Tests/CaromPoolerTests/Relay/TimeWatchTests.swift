// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import CaromPooler

/// What has lasted too long, by a clock that stands still between two steps.
@Suite struct TimeWatchTests {
    private typealias Activity = TimeWatch.Activity
    private typealias Events = TimeWatch.Events

    private static func at(_ milliseconds: Int) -> Deadline {
        Deadline(nanoseconds: 1_000_000_000) + .milliseconds(milliseconds)
    }

    private static func limits(_ set: (inout TimeLimits) -> Void) -> TimeLimits {
        var limits = TimeLimits.standard
        set(&limits)
        return limits
    }

    private static let second = TimeLimit.after(.seconds(1))

    /// Each limit, and what the client does that it is for.
    private static let each: [(TimeLimits, TimeWatch.Activity, TimeWatch.Excess)] = [
        (limits { $0.query = second }, .working, .query),
        (limits { $0.transaction = second }, .working, .transaction),
        (limits { $0.transaction = second }, .thinking, .transaction),
        (limits { $0.idleTransaction = second }, .thinking, .idleTransaction),
        (limits { $0.clientIdle = second }, .idle, .clientIdle),
        (limits { $0.waitNotice = second }, .waiting, .wait),
    ]

    /// What each limit is not for.
    private static let others: [TimeWatch.Excess: [TimeWatch.Activity]] = [
        .query: [.idle, .waiting, .thinking], .transaction: [.idle, .waiting],
        .idleTransaction: [.idle, .waiting, .working], .clientIdle: [.waiting, .working, .thinking],
        .wait: [.idle, .working, .thinking],
    ]

    @Test func nothingIsTooLongUpToTheLimitAndAllIsFromThereOn() {
        #expect(Set(Self.each.map(\.2)) == Set(TimeWatch.Excess.allCases))
        for (limits, activity, excess) in Self.each {
            var watch = TimeWatch(limits, at: Self.at(0))
            watch.note(activity, .spoken, at: Self.at(500))
            #expect(watch.deadline == Self.at(1500), "\(excess)")
            #expect(watch.excess(at: Self.at(1499)) == nil, "\(excess)")
            #expect(watch.excess(at: Self.at(1500)) == excess)
            #expect(watch.excess(at: Self.at(1501)) == excess)
        }
    }

    @Test func aLimitIsForOneThingOnly() {
        for (limits, _, excess) in Self.each {
            for activity in Self.others[excess] ?? [] {
                var watch = TimeWatch(limits, at: Self.at(0))
                watch.note(activity, .spoken, at: Self.at(0))
                #expect(watch.deadline == .never, "\(excess) of \(activity)")
                #expect(watch.excess(at: Self.at(1_000_000)) == nil)
            }
        }
    }

    @Test func whatIsRaisedOrLoweredHoldsForWhatHasBegun() {
        for (limits, activity, excess) in Self.each {
            var watch = TimeWatch(limits, at: Self.at(0))
            watch.note(activity, .spoken, at: Self.at(0))
            var all = TimeLimits()
            let paths: [WritableKeyPath<TimeLimits, TimeLimit?>] = [
                \.query, \.transaction, \.idleTransaction, \.clientIdle, \.waitNotice,
            ]
            for path in paths where limits[keyPath: path] == Self.second {
                all[keyPath: path] = .after(.seconds(2))
            }
            watch.use(all)
            #expect(watch.deadline == Self.at(2000) && watch.excess(at: Self.at(1999)) == nil)
            #expect(watch.excess(at: Self.at(2000)) == excess)
            watch.use(limits)
            #expect(watch.deadline == Self.at(1000) && watch.excess(at: Self.at(1999)) == excess)
            watch.use(.standard)
            #expect(watch.deadline == .never && watch.excess(at: Self.at(1_000_000)) == nil)
        }
    }

    @Test func aRequestHasTheTimeAnewWhenOneBeforeItIsAnswered() {
        var watch = TimeWatch(Self.limits { $0.query = Self.second }, at: Self.at(0))
        watch.note(.working, .spoken, at: Self.at(0))
        // More of the client's bytes do not make it a new request.
        watch.note(.working, .spoken, at: Self.at(600))
        #expect(watch.deadline == Self.at(1000))
        watch.note(.working, [.spoken, .answered], at: Self.at(900))
        #expect(watch.deadline == Self.at(1900))
    }

    @Test func whoeverSpeaksIsNotIdleThoughNothingComesOfIt() {
        let limits = Self.limits {
            $0.clientIdle = Self.second
            $0.idleTransaction = Self.second
        }
        for activity in [Activity.idle, .thinking] {
            var watch = TimeWatch(limits, at: Self.at(0))
            watch.note(activity, [], at: Self.at(0))
            watch.note(activity, .spoken, at: Self.at(700))
            #expect(watch.deadline == Self.at(1700))
            // A notice of the server's is not the client's doing.
            watch.note(activity, [], at: Self.at(900))
            #expect(watch.deadline == Self.at(1700))
        }
    }

    @Test func aTransactionLastsFromItsFirstRequestToItsEnd() {
        var watch = TimeWatch(Self.limits { $0.transaction = Self.second }, at: Self.at(0))
        watch.note(.working, .spoken, at: Self.at(100))
        for step in 1...4 {
            watch.note(step % 2 == 0 ? .working : .thinking, [.spoken, .answered], at: Self.at(200 * step))
        }
        #expect(watch.deadline == Self.at(1100))
        // One behind the other, without a pause.
        watch.note(.working, [.answered, .ended], at: Self.at(1000))
        #expect(watch.deadline == Self.at(2000))
        watch.note(.idle, [.answered, .ended], at: Self.at(1200))
        #expect(watch.deadline == .never)
    }

    @Test func theSoonerOfTwoLimitsIsTheOneThatIsTold() {
        let limits = Self.limits {
            $0.query = .after(.seconds(3))
            $0.transaction = .after(.seconds(4))
        }
        var watch = TimeWatch(limits, at: Self.at(0))
        watch.note(.working, .spoken, at: Self.at(0))
        #expect(watch.excess(at: Self.at(9000)) == .query)
        watch.note(.working, .answered, at: Self.at(2000))
        #expect(watch.deadline == Self.at(4000) && watch.excess(at: Self.at(9000)) == .transaction)
    }

    @Test func aWaitIsToldOnceAndTheNextOneAgain() {
        var watch = TimeWatch(Self.limits { $0.waitNotice = Self.second }, at: Self.at(0))
        for start in [0, 5000] {
            watch.note(.waiting, .spoken, at: Self.at(start))
            #expect(watch.excess(at: Self.at(start + 1000)) == .wait)
            watch.didTell()
            watch.note(.waiting, [], at: Self.at(start + 1000))
            #expect(watch.deadline == .never && watch.excess(at: Self.at(start + 4000)) == nil)
            watch.note(.working, [], at: Self.at(start + 4000))
        }
    }

    @Test func whereNothingIsLimitedNobodyWatches() {
        #expect(!TimeWatch.isNeeded(for: .standard))
        for (limits, _, _) in Self.each { #expect(TimeWatch.isNeeded(for: limits)) }
    }

    @Test func theClientIsToldTheDirectiveWithPostgresCodes() {
        let expected: [TimeWatch.Excess: (String, String)] = [
            .query: ("57014", "query_timeout is 1.0 seconds."),
            .transaction: ("25P04", "transaction_timeout is 1.0 seconds."),
            .idleTransaction: ("25P03", "idle_transaction_timeout is 1.0 seconds."),
            .clientIdle: ("57P05", "client_idle_timeout is 1.0 seconds."),
        ]
        for (limits, _, excess) in Self.each {
            let watch = TimeWatch(limits, at: Self.at(0))
            let fields = excess.message(watch.limit(of: excess), of: "shop.app")
            guard let (code, detail) = expected[excess] else {
                #expect(fields.severity == .notice && fields.message?.contains("shop.app") == true)
                continue
            }
            #expect(fields.isFatal && fields.code?.description == code && fields.detail == detail)
        }
    }
}
