// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import Testing

@testable import CaromPooler

/// How many servers a route may have, and where that is said.
@Suite struct PoolSizeTests {
    private static func size(_ user: String, top: String = "", database: String = "") throws -> PoolSize {
        let settings = try ConfigurationFile.parse(
            text: """
                \(top)
                listen { host "*" }
                shared_pool "many" { pool_size 9 }
                shared_pool "few" { pool_size 2 }
                storage "pg" { type "remote" host "10.0.0.1" }
                database "shop" {
                    user "ann" { authentication "none" storage "pg" pool "session" \(user) }
                    \(database)
                }
                """
        ).settings
        return PoolSize(settings.routes[0], settings)
    }

    @Test func withoutASizeThereIsNoLimit() throws {
        let size = try Self.size("")
        #expect(size.size == nil && size.shared == nil)
    }

    @Test func aRouteHasASizeOfItsOwnOrThatOfItsSharedPool() throws {
        let own = try Self.size("pool_size 7")
        #expect(own.size == 7 && own.shared == nil)
        let shared = try Self.size("shared_pool \"few\"")
        #expect(shared.size == 2 && shared.shared?.name == "few")
    }

    @Test func theReserveIsThatOfTheMostSpecificThatSaysOne() throws {
        #expect(try Self.size("pool_size 7").reserve == 0)
        #expect(try Self.size("pool_size 7", top: "reserve_pool_size 1").reserve == 1)
        let (top, database) = ("reserve_pool_size 1", "reserve_pool_size 3")
        #expect(try Self.size("pool_size 7", top: top, database: database).reserve == 3)
        #expect(try Self.size("shared_pool \"few\"", top: top, database: database).reserve == 3)
        #expect(try Self.size("pool_size 7 reserve_pool_size 4", top: top, database: database).reserve == 4)
        #expect(try Self.size("pool_size 7 reserve_pool_size 0", top: top, database: database).reserve == 0)
    }

    @Test func withoutALimitOrATimeToWaitThereIsNoReserve() throws {
        #expect(try Self.size("reserve_pool_size 4").reserve == 0)
        let never = "reserve_pool_timeout 0"
        #expect(try Self.size("pool_size 7 reserve_pool_size 4", top: never).reserve == 0)
    }
}
