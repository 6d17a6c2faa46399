// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import Testing

@testable import CaromPooler

/// Clients of a database and of a user are counted over all routes.
@Suite struct ClientCensusTests {
    private static func enters(
        _ census: ClientCensus, _ database: String, _ user: String, _ limits: ClientLimits = ClientLimits()
    ) -> ClientCensus.Shortage? {
        do throws(ClientCensus.Shortage) {
            try census.enter(database: database, user: user, limits)
            return nil
        } catch {
            return error
        }
    }

    @Test func eachLimitCountsItsOwnNames() {
        let census = ClientCensus()
        let limits = ClientLimits(database: 3, user: 2)
        #expect(Self.enters(census, "shop", "ann", limits) == nil)
        #expect(Self.enters(census, "bank", "ann", limits) == nil)
        #expect(Self.enters(census, "shop", "ann", limits) == .user(limit: 2))
        #expect(Self.enters(census, "shop", "bob", limits) == nil)
        #expect(Self.enters(census, "shop", "cid", limits) == nil)
        #expect(Self.enters(census, "shop", "bob", limits) == .database(limit: 3))
        #expect(census.users == ["ann": 2, "bob": 1, "cid": 1], "nobody who was refused is counted")
        census.leave(database: "shop", user: "ann")
        #expect(Self.enters(census, "shop", "bob", limits) == nil)
    }

    @Test func whoIsHereCountsWhenALimitComes() {
        let census = ClientCensus()
        for _ in 0..<4 { #expect(Self.enters(census, "shop", "ann") == nil) }
        #expect(Self.enters(census, "shop", "ann", ClientLimits(database: 4)) == .database(limit: 4))
        #expect(Self.enters(census, "shop", "ann", ClientLimits(database: 5)) == nil)
    }

    @Test func namesWithoutClientsAreForgotten() {
        let census = ClientCensus()
        #expect(Self.enters(census, "shop", "ann") == nil)
        census.leave(database: "shop", user: "ann")
        #expect(census.users == [:])
    }

    @Test func theLimitHoldsForManyAtATime() async {
        let census = ClientCensus()
        let limits = ClientLimits(database: 100)
        let entered = await withTaskGroup(of: Int.self) { group in
            for user in 0..<4 {
                group.addTask {
                    (0..<1_000).count { _ in Self.enters(census, "shop", "\(user)", limits) == nil }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(entered == 100)
    }

    @Test(arguments: [
        ("", "", "", nil, nil), ("max_db_client_connections 3 max_user_client_connections 4", "", "", 3, 4),
        (
            "max_db_client_connections 3 max_user_client_connections 4", "max_db_client_connections 5",
            "max_user_client_connections 6", 5, 6
        ),
        (
            "max_db_client_connections 3 max_user_client_connections 4", "max_db_client_connections 0",
            "max_user_client_connections 0", nil, nil
        ),
    ])
    func theMostSpecificCounts(
        _ top: String, _ database: String, _ user: String, _ databaseLimit: Int?, _ userLimit: Int?
    ) throws {
        let settings = try ConfigurationFile.parse(
            text: """
                \(top)
                listen { host "*" }
                storage "pg" { type "remote" host "10.0.0.1" }
                database "shop" {
                    user "ann" { authentication "none" storage "pg" pool "session" \(user) }
                    \(database)
                }
                """
        ).settings
        #expect(
            ClientLimits(settings.routes[0], settings)
                == ClientLimits(database: databaseLimit, user: userLimit))
    }
}
