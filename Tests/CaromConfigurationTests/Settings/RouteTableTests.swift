// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromConfiguration

/// The most specific route wins.
@Suite struct RouteTableTests {
    private static func pattern(_ database: String?, _ user: String?) -> RoutePattern {
        RoutePattern(
            database: database.map(RouteName.exact) ?? .anything, user: user.map(RouteName.exact) ?? .anything
        )
    }

    @Test(arguments: [
        ("shop", "bob", "shop.bob"), ("shop", "eve", "shop.default"), ("bank", "bob", "default.bob"),
        ("bank", "eve", "default.default"), ("SHOP", "bob", "default.bob"),
        ("default", "default", "default.default"),
        ("", "", "default.default"),
    ])
    func theMostSpecificRouteWins(database: String, user: String, expected: String) {
        let patterns = [(nil, nil), (nil, "bob"), ("shop", nil), ("shop", "bob")].map(Self.pattern)
        for order in [patterns, patterns.reversed()] {
            let table = RouteTable(order.map { ($0, $0.description) })
            #expect(table.match(database: database, user: user) == expected)
        }
    }

    @Test func theDatabaseCountsMoreThanTheUser() {
        let table = RouteTable([(Self.pattern(nil, "bob"), 1), (Self.pattern("shop", nil), 2)])
        #expect(table.match(database: "shop", user: "bob") == 2)
        #expect(table.match(database: "bank", user: "eve") == nil)
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func lookingUpAgreesWithTryingAll(seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let names: [String?] = ["a", "b", "c", nil]
        var patterns = names.flatMap { database in names.map { Self.pattern(database, $0) } }
        patterns.shuffle(using: &random)
        patterns.removeLast(Int.random(in: 0...16, using: &random))
        let table = RouteTable(patterns.map { ($0, $0) })
        for database in ["a", "b", "c", "d"] {
            for user in ["a", "b", "c", "d"] {
                let best = patterns.filter { $0.matches(database: database, user: user) }
                    .max { $0.specificity < $1.specificity }
                #expect(table.match(database: database, user: user) == best, "seed \(seed)")
            }
        }
    }
}
