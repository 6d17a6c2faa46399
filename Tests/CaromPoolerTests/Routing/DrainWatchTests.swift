// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import Testing

@testable import CaromPooler

/// When clients may no longer keep servers that drain.
@Suite struct DrainWatchTests {
    private final class Pool: Sendable {}

    private static let start = Deadline(nanoseconds: 1_000_000_000)
    private let pool = Pool()

    private func place(_ name: String) -> DrainWatch.Place {
        DrainWatch.Place(
            pool: ObjectIdentifier(pool), backend: BackendID(name: name, address: .ip("192.0.2.1", port: 1)))
    }

    private func at(_ seconds: Int) -> Deadline { Self.start + .seconds(seconds) }

    @Test func eachIsDueWhenItsOwnTimeIsOver() {
        var watch = DrainWatch()
        let (a, b) = (place("a"), place("b"))
        #expect(watch.look([a: .seconds(2)], at: at(0)).isEmpty)
        #expect(watch.look([a: .seconds(2), b: .seconds(2)], at: at(1)).isEmpty)
        #expect(watch.look([a: .seconds(2), b: .seconds(2)], at: at(2)) == [a])
        #expect(watch.look([a: .seconds(2), b: .seconds(2)], at: at(3)) == [b])
        // Somebody may have pinned it meanwhile.
        #expect(watch.look([a: .seconds(2), b: .seconds(2)], at: at(4)) == [a])
    }

    @Test func oneThatComesBackStartsAnew() {
        var watch = DrainWatch()
        let a = place("a")
        _ = watch.look([a: .seconds(2)], at: at(0))
        _ = watch.look([:], at: at(1))
        #expect(watch.look([a: .seconds(2)], at: at(2)).isEmpty)
        #expect(watch.look([a: .seconds(2)], at: at(4)) == [a])
    }

    @Test func aShorterTimeHoldsAtOnce() {
        var watch = DrainWatch()
        let a = place("a")
        _ = watch.look([a: .seconds(60)], at: at(0))
        #expect(watch.look([a: .seconds(3)], at: at(5)) == [a])
    }
}
