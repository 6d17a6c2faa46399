// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import Testing

@testable import CaromPooler

/// Which limits of servers a route shares with others.
@Suite struct ServerLimitsTests {
    private static func limits(
        top: String = "", storage: String = "", database: String = "", user: String = ""
    )
        throws -> [QuotaLimit]
    {
        let settings = try ConfigurationFile.parse(
            text: """
                \(top)
                listen { host "*" }
                shared_pool "few" { pool_size 2 }
                storage "pg" { type "remote" host "10.0.0.1" \(storage) }
                database "shop" {
                    user "ann" { authentication "none" storage "pg" pool "session" \(user) }
                    \(database)
                }
                """
        ).settings
        return ServerLimits(settings.routes[0], settings).all(database: "shop", user: "ann")
    }

    private static let all = (
        database: QuotaGroup("database", "shop"), user: QuotaGroup("user", "ann"),
        storage: QuotaGroup("storage", "pg"), pool: QuotaGroup("shared_pool", "few")
    )

    @Test func withoutLimitsNothingIsShared() throws {
        #expect(try Self.limits() == [])
        #expect(try Self.limits(top: "max_db_connections 0 max_user_connections 0") == [])
    }

    @Test func eachThatIsSaidIsOne() throws {
        #expect(
            try Self.limits(
                top: "max_db_connections 3 max_user_connections 4", storage: "max_connections 5",
                user: "shared_pool \"few\"") == [
                    QuotaLimit(Self.all.storage, 5), QuotaLimit(Self.all.pool, 2),
                    QuotaLimit(Self.all.database, 3), QuotaLimit(Self.all.user, 4),
                ])
    }

    @Test func theMostSpecificCounts() throws {
        let top = "max_db_connections 3 max_user_connections 4"
        #expect(
            try Self.limits(top: top, database: "max_db_connections 6", user: "max_user_connections 7") == [
                QuotaLimit(Self.all.database, 6), QuotaLimit(Self.all.user, 7),
            ])
        #expect(
            try Self.limits(top: top, database: "max_db_connections 0", user: "max_user_connections 0") == [])
    }
}
