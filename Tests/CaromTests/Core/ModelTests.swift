// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Model")
struct ModelTests {
    /// How many events, over all parts.
    static var events: Int { number("CAROM_MODEL_EVENTS") ?? 1_000_000 }

    static func number(_ name: String) -> Int? {
        getenv(name).flatMap { Int(String(cString: $0)) }
    }

    @Test("behaviour 50: after each of very many random events every invariant holds", arguments: 0..<4)
    func randomEvents(part: Int) {
        let seed = UInt64(Self.number("CAROM_SEED") ?? Int.random(in: 1...1_000_000_000) + part)
        print("model test, part \(part): CAROM_SEED=\(seed), \(Self.events / 4) events")
        let walk = RandomWalk(seed: seed)
        let broken = walk.run(Self.events / 4)
        #expect(broken == nil, "CAROM_SEED=\(seed)")
    }

    @Test("behaviour 50: the same seed gives the same trace")
    func sameSeedSameTrace() {
        let (one, two, other) = (RandomWalk(seed: 11), RandomWalk(seed: 11), RandomWalk(seed: 12))
        for walk in [one, two, other] { #expect(walk.run(5_000) == nil) }
        #expect(one.trace == two.trace)
        #expect(one.trace != other.trace)
    }
}
