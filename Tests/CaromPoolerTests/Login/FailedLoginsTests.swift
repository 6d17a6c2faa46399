// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Testing

@testable import CaromPooler

/// How often an address may fail.
@Suite struct FailedLoginsTests {
    private let start = Deadline.now
    private let limit = FailureLimit(failures: 5, period: .seconds(60))

    private static func source(_ host: String) -> FailedLogins.Source {
        FailedLogins.Source(SocketAddress(.ip(host, port: 1)))!
    }

    private let ann = source("10.0.0.1")
    private let bob = source("10.0.0.2")

    private func fail(_ failed: inout FailedLogins, _ source: FailedLogins.Source, at seconds: Int) -> Bool {
        failed.fail(from: source, at: start + .seconds(seconds), limit)
    }

    private func isFull(_ failed: FailedLogins, _ source: FailedLogins.Source, at seconds: Int) -> Bool {
        failed.isFull(source, at: start + .seconds(seconds), limit)
    }

    @Test func whoFailsAsOftenAsTheLimitIsNotHeardForAWhile() {
        var failed = FailedLogins(capacity: 10)
        for _ in 0..<4 { #expect(!fail(&failed, ann, at: 0)) }
        #expect(!isFull(failed, ann, at: 0))
        #expect(fail(&failed, ann, at: 0))
        #expect(isFull(failed, ann, at: 0) && isFull(failed, ann, at: 11) && !isFull(failed, bob, at: 0))
        // One more each fifth of the period.
        #expect(!isFull(failed, ann, at: 12))
        #expect(fail(&failed, ann, at: 12))
        #expect(isFull(failed, ann, at: 23) && !isFull(failed, ann, at: 24))
        // After a period without a failure everything is as it was.
        for _ in 0..<4 { #expect(!fail(&failed, ann, at: 100)) }
        #expect(fail(&failed, ann, at: 100))
    }

    @Test func whoFailsNowAndThenIsAlwaysHeard() {
        var failed = FailedLogins(capacity: 10)
        for round in 0..<1_000 {
            _ = fail(&failed, ann, at: 12 * round)
            #expect(!isFull(failed, ann, at: 12 * round + 12))
        }
    }

    @Test func failuresBehindTheLimitDoNotMakeItLast() {
        var failed = FailedLogins(capacity: 10)
        for _ in 0..<1_000 { _ = fail(&failed, ann, at: 0) }
        #expect(isFull(failed, ann, at: 11) && !isFull(failed, ann, at: 12))
    }

    @Test func whoHasOneAddressOfAnIPv6NetworkHasAllOfThem() {
        #expect(Self.source("2001:db8:0:1::1") == Self.source("2001:db8:0:1:ffff::9"))
        #expect(Self.source("2001:db8:0:1::1") != Self.source("2001:db8:0:2::1"))
        #expect(Self.source("10.0.0.1") != Self.source("10.0.0.2"))
        #expect(Self.source("0.0.0.1") != Self.source("::1"))
        #expect(FailedLogins.Source(SocketAddress(.unix(path: "/tmp/x"))) == nil)
    }

    @Test func addressesTakeNoMoreRoomThanThereIs() {
        var failed = FailedLogins(capacity: 100)
        for number in 0..<10_000 {
            let host = "10.0.\(number / 250).\(number % 250)"
            for _ in 0..<5 { _ = fail(&failed, Self.source(host), at: 0) }
            #expect(failed.count <= 100)
            #expect(isFull(failed, Self.source(host), at: 0))
        }
        // The last ones are remembered.
        for number in 9_960..<10_000 {
            #expect(isFull(failed, Self.source("10.0.\(number / 250).\(number % 250)"), at: 0))
        }
        // One that goes on is not forgotten for others.
        for number in 0..<1_000 {
            _ = fail(&failed, ann, at: 0)
            _ = fail(&failed, Self.source("10.1.\(number / 250).\(number % 250)"), at: 0)
            #expect(isFull(failed, ann, at: 0) || number < 4)
        }
    }
}
