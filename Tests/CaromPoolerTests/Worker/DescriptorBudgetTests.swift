// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import Testing

@testable import CaromPooler

/// How descriptors are shared out.
@Suite struct DescriptorBudgetTests {
    private func settings(_ sizes: [Int?], routing: Int? = nil) -> Settings {
        var settings = Settings()
        settings.clientMaxRouting = routing
        settings.routes = sizes.map { size in
            var route = RouteSettings(pattern: RoutePattern(database: .anything, user: .anything))
            route.poolSize = size
            return route
        }
        return settings
    }

    @Test(
        arguments: [
            // limit, pools, reserve, logins
            (64, [8], 16, 24), (1000, [100, 50], 182, 409), (1000, [nil], 250, 375),
            (1_000_000, [200], 232, 499_884),
            (1000, [Int.max / 2, Int.max / 2], 250, 375), (4, [], 1, 1), (1, [], 0, 1),
        ] as [(Int, [Int?], Int, Int)])
    func serversAndClientsWithALoginHaveAShare(limit: Int, pools: [Int?], reserve: Int, logins: Int) {
        let budget = DescriptorBudget(settings(pools), limit: limit)
        #expect(budget.reserve == reserve && budget.logins == logins)
        #expect(budget.hasRoom(for: Int32(limit - reserve - 1)) == (limit - reserve > 0))
        #expect(!budget.hasRoom(for: Int32(limit - reserve)))
    }

    @Test(
        arguments: [
            // at the top, of the storage, of a user; servers of four of these users
            ("", "", "pool_size 5", 20),
            ("reserve_pool_size 2", "", "pool_size 5", 28),
            ("reserve_pool_size 2 reserve_pool_timeout 0", "", "pool_size 5", 20),
            ("", "", "shared_pool \"few\"", 7),
            ("", "max_connections 6", "", 6),
            ("", "max_connections 6", "pool_size 1", 4),
            ("", "max_connections 6", "shared_pool \"few\"", 6),
        ])
    func serversThatShareALimitAreNoMoreThanThat(
        top: String, storage: String, user: String, servers: Int
    ) throws {
        let settings = try ConfigurationFile.parse(
            text: """
                \(top)
                listen { host "*" }
                shared_pool "few" { pool_size 7 }
                storage "pg" { type "remote" host "10.0.0.1" \(storage) }
                storage "console" { type "local" }
                database "console" { user "ann" { authentication "none" storage "console" } }
                database "shop" {
                \((1...4).map { """
                    user "u\($0)" { authentication "none" storage "pg" pool "session" \(user) }

                    """ }.joined())
                }
                """
        ).settings
        #expect(DescriptorBudget(settings, limit: 1000).reserve == servers + 32)
    }

    @Test func theConfigurationMayFixTheLogins() {
        let budget = DescriptorBudget(settings([8], routing: 10), limit: 1000)
        #expect(budget.logins == 10)
        #expect([1, 2, 3, 4, 100].map { budget.logins(ofWorkers: $0) } == [10, 5, 4, 3, 1])
    }
}

/// Who came first of those that have not logged in.
@Suite struct LoginLineTests {
    @Test func theOldestIsTheOneThatCameFirstAndIsStillHere() {
        var line = LoginLine()
        #expect(line.oldest == nil && line.count == 0)
        for owner in UInt64(1)...5 { line.enter(owner) }
        #expect(line.oldest == 1 && line.count == 5)
        line.leave(3)
        line.leave(1)
        line.leave(1)
        #expect(line.oldest == 2 && line.count == 3)
        line.leave(2)
        #expect(line.oldest == 4)
        line.leave(5)
        line.leave(4)
        #expect(line.oldest == nil && line.count == 0)
        line.leave(99)
        line.enter(6)
        #expect(line.oldest == 6 && line.count == 1)
    }

    @Test func itStaysInOrderHoweverClientsComeAndGo() {
        var line = LoginLine()
        var model: [UInt64] = []
        var random = SystemRandomNumberGenerator()
        for owner in UInt64(1)...5000 {
            line.enter(owner)
            model.append(owner)
            while model.count > Int.random(in: 0...20, using: &random) {
                let index = Int.random(in: 0..<model.count, using: &random)
                line.leave(model.remove(at: index))
                #expect(line.oldest == model.first && line.count == model.count)
            }
        }
    }
}
