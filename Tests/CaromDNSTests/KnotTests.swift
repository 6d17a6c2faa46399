// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromDNS

private let pg = DNSConfiguration.Subject.service("_pg._tcp.example.com")

/// The resolver against a real nameserver whose zone changes at run time. Knot DNS must be installed.
@Suite(.serialized) struct KnotTests {
    /// Lines for hosts `dbN` at 192.0.2.N.
    func zone(_ hosts: [Int], ttl: Int = 0, addresses: [Int: String] = [:]) -> [String] {
        hosts.flatMap { host in
            [
                "_pg._tcp \(ttl) SRV 10 \(host) 5432 db\(host)",
                "db\(host) \(ttl) A \(addresses[host] ?? "192.0.2.\(host)")",
            ]
        }
    }

    /// Short times, so that a test takes tenths of seconds and not minutes; the proportions stay.
    func fast(_ configuration: inout DNSConfiguration) {
        configuration.timeToLive = .milliseconds(200) ... .seconds(300)
        configuration.negativeTimeToLive = .milliseconds(200)
        configuration.retryDelay = .milliseconds(200) ... .seconds(1)
        configuration.removal.spacing = .milliseconds(200)
        configuration.timeout = .milliseconds(500)
    }

    @Test func recordsAddedRemovedAndMovedAreNoticed() async throws {
        let knot = try KnotServer(zone([1, 2]))
        let running = try RunningResolver(pg, .fixed([knot.address]), configure: fast)
        try await running.until(addresses: ["192.0.2.1:5432", "192.0.2.2:5432"])
        #expect(running.sets.last?.backends.map(\.weight) == [1, 2])
        #expect(running.sets.last?.backends.map(\.priority) == [10, 10])
        try knot.change(zone([1, 2, 3]))
        let added = try await running.until(addresses: ["192.0.2.1:5432", "192.0.2.2:5432", "192.0.2.3:5432"])
        try knot.change(zone([1, 2, 3], addresses: [2: "192.0.2.22"]))
        let moved = try await running.until(addresses: [
            "192.0.2.1:5432", "192.0.2.22:5432", "192.0.2.3:5432",
        ])
        try knot.change(zone([1, 3]))
        let removed = try await running.until(addresses: ["192.0.2.1:5432", "192.0.2.3:5432"])
        try knot.change([])
        let emptied = try await running.until(addresses: [])
        print(
            "noticed with a TTL of 0.2 s: added \(added), moved \(moved), removed \(removed), NXDOMAIN \(emptied)"
        )
        // Bounds for a busy machine; the figures above are what to look at.
        #expect(max(added, moved, removed, emptied) < .seconds(10))
        await running.stop()
    }

    @Test func theDefaultsNoticeChangesInSeconds() async throws {
        let knot = try KnotServer(zone([1, 2, 3], ttl: 1), host: 12)
        let running = try RunningResolver(pg, .fixed([knot.address]))
        let first = try await running.until("three backends") { $0.backends.count == 3 }
        try knot.change(zone([1, 2, 3, 4], ttl: 1))
        let added = try await running.until("four backends") { $0.backends.count == 4 }
        try knot.change(zone([1, 2, 3], ttl: 1))
        let removed = try await running.until("three backends again") { $0.backends.count == 3 }
        print(
            "noticed with default settings and a TTL of 1 s: first \(first), added \(added), removed \(removed)"
        )
        #expect(first < .seconds(10))
        #expect(added < .seconds(15))
        #expect(removed > .seconds(4) && removed < .seconds(25))
        await running.stop()
    }

    @Test func aTTLOfADayIsClampedAndChangesAreNoticedAtTheClamp() async throws {
        let knot = try KnotServer(zone([1], ttl: 86_400), host: 19)
        let running = try RunningResolver(pg, .fixed([knot.address])) {
            fast(&$0)
            $0.timeToLive = .milliseconds(200) ... .seconds(1)
        }
        try await running.until(addresses: ["192.0.2.1:5432"])
        try knot.change(zone([1, 2], ttl: 86_400))
        let added = try await running.until(addresses: ["192.0.2.1:5432", "192.0.2.2:5432"])
        print("TTL of a day, clamped to 1 s: added \(added)")
        #expect(added < .seconds(10))
        await running.stop()
    }

    @Test func aServerKilledAndStartedAgainChangesNothingInBetween() async throws {
        let knot = try KnotServer(zone([1, 2]), host: 13)
        let running = try RunningResolver(pg, .fixed([knot.address]), configure: fast)
        try await running.until("two backends") { $0.backends.count == 2 }
        knot.kill()
        while !running.events.contains(where: { if case .stale = $0 { true } else { false } }) {
            await Task.yield()
        }
        #expect(running.addresses == ["192.0.2.1:5432", "192.0.2.2:5432"])
        #expect((running.resolver.age ?? .zero) > .milliseconds(500))
        try knot.start()
        try knot.change(zone([1, 2, 3]))
        let back = try await running.until("three backends") { $0.backends.count == 3 }
        print("server back after a kill: noticed after \(back)")
        #expect(back < .seconds(10))
        await running.stop()
    }

    @Test func fortyTargetsComeOverTCP() async throws {
        let knot = try KnotServer(zone(Array(1...60), ttl: 60), host: 14)
        let running = try RunningResolver(pg, .fixed([knot.address]), configure: fast)
        let time = try await running.until("sixty backends") { $0.backends.count == 60 }
        print("sixty targets, truncated over UDP: \(time), \(running.events.count) events")
        await running.stop()
    }

    @Test func aSecondNameserverTakesOver() async throws {
        let (first, second) = (try KnotServer(zone([1]), host: 15), try KnotServer(zone([1]), host: 16))
        let running = try RunningResolver(pg, .fixed([first.address, second.address]), configure: fast)
        try await running.until(addresses: ["192.0.2.1:5432"])
        first.kill()
        try second.change(zone([1, 2]))
        let time = try await running.until(addresses: ["192.0.2.1:5432", "192.0.2.2:5432"])
        print("first nameserver killed: the second one's news after \(time)")
        #expect(time < .seconds(10))
        await running.stop()
    }

    @Test func aZoneThatCannotBeLoadedIsServfailAndPublishesNothing() async throws {
        let knot = try KnotServer([], host: 17)
        let began = ContinuousClock.now
        let running = try RunningResolver(
            .service("_pg._tcp.broken.example"), .fixed([knot.address]), configure: fast)
        while !running.events.contains(where: { if case .stale = $0 { true } else { false } }) {
            await Task.yield()
        }
        #expect(
            running.events.contains {
                if case .failed(_, _, "SERVFAIL", _) = $0 { true } else { false }
            })
        #expect(running.sets.isEmpty)
        print("SERVFAIL: told after \(ContinuousClock.now - began), nothing published")
        await running.stop()
    }

    @Test func aliasesAndPlainHostNamesWork() async throws {
        let knot = try KnotServer(
            ["db 0 CNAME real", "real 0 A 192.0.2.8", "real 0 AAAA 2001:db8::8", "six 0 AAAA 2001:db8::6"],
            host: 18)
        let aliased = try RunningResolver(.host("db.example.com", port: 6432), .fixed([knot.address])) {
            fast(&$0)
            $0.addresses = .all
        }
        try await aliased.until(addresses: ["192.0.2.8:6432", "[2001:db8::8]:6432"])
        let six = try RunningResolver(
            .host("six.example.com", port: 5432), .fixed([knot.address]), configure: fast)
        try await six.until(addresses: ["[2001:db8::6]:5432"])
        await aliased.stop()
        await six.stop()
    }
}
