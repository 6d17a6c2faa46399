// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPooler

/// The most specific route wins, and secrets and spellings behave.
@Suite struct ConfigurationRoutingTests {
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
        var random = SplitMix(state: seed)
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

    @Test func aSecretDoesNotPrint() {
        let secret = Secret("hunter2")
        var route = RouteSettings(pattern: Self.pattern(nil, nil))
        route.password = secret
        route.storagePassword = secret
        var dumped = ""
        dump(route, to: &dumped)
        dump(secret, to: &dumped)
        let printed = [
            "\(secret)", String(reflecting: secret), "\(route)", String(reflecting: route), dumped,
        ]
        #expect(!printed.joined().contains("hunter2"))
        #expect(printed[0] == "***" && secret.reveal() == "hunter2")
    }

    @Test(arguments: [
        ("hunter2", Secret.Form.plain), ("md5", .plain), ("md50123456789abcdef0123456789abcdef", .md5),
        ("md50123456789ABCDEF0123456789abcdef", .plain), ("SCRAM-SHA-256$", .plain),
        (
            "SCRAM-SHA-256$4096:c2FsdA==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
            .scramVerifier
        ),
        ("SCRAM-SHA-256$0:c2FsdA==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:x", .plain),
    ])
    func aStoredPasswordIsKnownByItsForm(text: String, form: Secret.Form) {
        #expect(Secret(text).form == form)
    }

    @Test(arguments: [
        ("", "", 0), ("a", "", 1), ("", "abc", 3), ("kitten", "sitting", 3), ("port", "prot", 2),
        ("same", "same", 0),
    ])
    func distancesAreThoseOfLevenshtein(left: String, right: String, expected: Int) {
        #expect(editDistance(left, right) == expected)
        #expect(editDistance(right, left) == expected)
    }

    @Test func aSpellingIsCorrectedUpToTwoLetters() {
        let words = ["workers", "port", "host"]
        #expect(nearest(to: "wrokers", among: words) == "workers")
        #expect(nearest(to: "wrkrs", among: words) == "workers")
        #expect(nearest(to: "wrks", among: words) == nil)
        #expect(nearest(to: "hort", among: words) == "port")
        #expect(nearest(to: "x", among: ["ab"]) == nil)
    }
}
