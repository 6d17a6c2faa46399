// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

@Suite("Parts of the core")
struct PartsTests {
    @Test func dealingFollowsWeightsAndLimits() {
        func deal(_ total: Int, _ hands: [(Double, Int)]) -> [Int] {
            var hands = hands.map { WeightedShares.Share(weight: $0.0, limit: $0.1, count: 0) }
            WeightedShares.deal(total, to: &hands)
            return hands.map(\.count)
        }
        #expect(deal(8, [(1, 16), (1, 16), (1, 16)]) == [3, 3, 2])
        #expect(deal(8, [(3, 16), (1, 16)]) == [6, 2])
        #expect(deal(10, [(1, 2), (1, 16), (1, 2)]) == [2, 6, 2])
        #expect(deal(10, [(1, 2), (1, 2)]) == [2, 2])
        #expect(deal(3, [(1.0 / 16, 16), (1, 16)]) == [0, 3])
        #expect(deal(0, [(1, 1)]) == [0])
        #expect(deal(1_000_000_000, [(1, .max), (1, .max)]) == [500_000_000, 500_000_000])
    }

    @Test func theTimerHeapKeepsOrder() {
        var random = SeededRandom(seed: 3)
        var heap = TimerHeap()
        var model: [Int: Int64] = [:]
        for _ in 0..<5_000 {
            let slot = random.below(50)
            let at = random.below(4) == 0 ? Int64.never : Int64(random.below(1_000))
            heap.set(slot, at: at)
            model[slot] = at == .never ? nil : at
            #expect(heap.earliest == model.values.min() ?? .never)
            #expect(heap.at(slot) == at)
        }
        #expect(heap.count == model.count)
    }

    @Test func theFailureWindowForgets() {
        var window = FailureWindow(length: 60 * second)
        window.add(0)
        window.add(30 * second)
        #expect(window.score(31 * second) == 2)
        #expect(window.score(62 * second) == 1)
        #expect(window.score(1_000 * second) == 0)
    }

    @Test func theTokenBucketPaces() {
        var bucket = TokenBucket(perSecond: 4, burst: 4)
        for _ in 0..<4 { #expect(bucket.take(0) == nil) }
        #expect(bucket.take(0) == 250 * ms)
        #expect(bucket.take(250 * ms) == nil)
        #expect(bucket.take(250 * ms) == 500 * ms)
    }

    @Test func deadlinesOfAllSortsFireInOrder() {
        let rig = CoreRig(Policy.with { $0.maxWaiters = 10_000 })
        rig.checking = false
        var random = SeededRandom(seed: 5)
        var due: [Int: Int64] = [:]
        for _ in 0..<2_000 {
            let timeout = Int64(1 + random.below(1_000)) * ms
            due[rig.claim(timeout: timeout)] = rig.now + timeout
            rig.run(until: rig.now + Int64(random.below(3)) * ms)
        }
        rig.run(2)
        for (claim, at) in due { #expect(rig.claims[claim] == .failed(.noBackends, at: at)) }
        #expect(rig.core.queue.deadlines.isEmpty)
    }

    @Test(
        arguments: [
            ("1.2.3.4:5432", "1.2.3.4:5432"), ("[::1]:5432", "[::1]:5432"), ("/run/x", "unix:/run/x"),
            ("unix:/run/x", "unix:/run/x"), ("1.2.3.4", "1.2.3.4:99"), ("::1", "[::1]:99"),
            ("[fe80::1%eth0]:1", "[fe80::1%eth0]:1"), ("[::ffff:1.2.3.4]", "[::ffff:1.2.3.4]:99"),
        ])
    func addressesRoundTrip(text: String, printed: String) throws {
        let address = try BackendAddress(parsing: text, defaultPort: 99)
        #expect(address.description == printed)
        #expect(try BackendAddress(parsing: printed) == address)
    }

    @Test(
        arguments: [
            "", "host:1", "1.2.3:1", "1.2.3.4.5:1", "256.1.1.1:1", "01.1.1.1:1", "1.2.3.4:0", "1.2.3.4:65536",
            "1.2.3.4:+5", "[::1", "[::1]x:1", ":::1", "1:2:3:4:5:6:7:8:9", "1::2::3", "unix:", "unix:rel",
            "[1.2.3.4]:5",
            "12345::", "::1%", "/" + String(repeating: "x", count: 108),
        ])
    func badAddressesAreErrors(text: String) {
        #expect(throws: BackendAddressError.self) { try BackendAddress(parsing: text, defaultPort: 1) }
    }

    @Test func contradictoryPoliciesNameTheKnob() {
        let cases: [(String, (inout Policy) -> Void)] = [
            ("maxSlots", { $0.maxSlots = 0 }), ("spares", { $0.spares = -1 }),
            ("maxBackoff", { $0.maxBackoff = .milliseconds(1) }), ("healthSpread", { $0.healthSpread = 0.6 }),
            ("lifetimeSpread", { $0.lifetimeSpread = -.infinity }), ("churnRate", { $0.churnRate = .nan }),
            ("connectTimeout", { $0.connectTimeout = .zero }),
            ("claimTimeout", { $0.claimTimeout = .seconds(-1) }),
            ("shrink.afterIdle", { $0.shrink = .afterIdle(.zero) }), ("maxWaiters", { $0.maxWaiters = -1 }),
        ]
        for (knob, change) in cases {
            #expect {
                try Policy.with(change).validate()
            } throws: {
                ($0 as? PolicyError)?.knob == knob && "\($0)".contains(knob)
            }
        }
        #expect(throws: Never.self) { try Policy().validate() }
        #expect(throws: Never.self) { try Policy.with { $0.maxSlots = .max }.validate() }
    }
}
