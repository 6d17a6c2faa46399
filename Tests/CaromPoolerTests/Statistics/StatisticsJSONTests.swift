// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromStats
import CaromTop
import FoundationEssentials
import Testing

@testable import CaromPooler

@Suite struct StatisticsJSONTests {
    private static let counters = {
        var values = Counters.Values(queries: 5, transactions: 4, received: 3, sent: 2)
        values[.look] = 6
        values.queryTimes.add(nanoseconds: 1_500_000_000)
        values[.lockPin] = 7
        values[.fullReset] = 8
        values[.poolerParse] = 9
        return values
    }()

    private static let statistics = Sample.statistics([
        Sample.route(
            "shop", "app", counters: [counters], statements: (71, 72),
            Sample.pool("shop.app", [Sample.backend(Sample.first)])),
        Sample.route("shop", "ops", Sample.pool("shop.ops", [Sample.backend(Sample.first)])),
    ])

    @Test func theDocumentIsAMessageOfTheStreamAsWell() throws {
        let frame = try JSONDecoder().decode(StatsFrame.self, from: Self.statistics.json)
        #expect(frame == Self.statistics.frame)
        #expect(Set(frame.sets.keys) == ["shop.app/db1", "shop.ops/db1"])
        #expect(frame.carom?.pools.map(\.name) == ["shop.app", "shop.ops"])
        #expect(frame.claims == 200)
    }

    @Test func whatOnlyAPoolerHasStandsBesideIt() throws {
        struct Document: Decodable {
            struct Pooler: Decodable {
                struct Route: Decodable {
                    var name, mode: String
                    var clients, servers: [String: Int]
                    var queries, received_bytes: Int
                    struct Durations: Decodable {
                        var seconds: Double
                        var counts: [Int]
                    }
                    var durations: [String: Durations]
                    var sessions, pins, resets, parses: [String: Int]
                }
                var version: String
                var clients, servers: [String: Int]
                var clients_by_worker: [Int]
                var routes: [Route]
            }
            var pooler: Pooler
        }
        let pooler = try JSONDecoder().decode(Document.self, from: Self.statistics.json).pooler
        #expect(pooler.version == "9.8.7")
        #expect(pooler.clients_by_worker == [20, 5])
        #expect(pooler.servers["active"] == 8)
        #expect(pooler.clients["active"] == 8)
        #expect(pooler.routes.map(\.name) == ["shop.app", "shop.ops"])
        #expect(pooler.routes[0].mode == "transaction")
        #expect(pooler.routes[0].queries == 5 && pooler.routes[0].received_bytes == 3)
        #expect(pooler.routes[0].servers["closing"] == 7)
        let durations = pooler.routes[0].durations
        #expect(Set(durations.keys) == ["query", "transaction", "wait", "connect"])
        #expect(durations["query"]?.seconds == 1.5 && durations["query"]?.counts[15] == 1)
        #expect(durations["query"]?.counts.count == 22)
        #expect(pooler.routes[0].sessions["looks"] == 6 && pooler.routes[0].sessions["statements"] == 71)
        #expect(pooler.routes[0].pins["locks"] == 7 && pooler.routes[0].pins["cursors"] == 0)
        #expect(pooler.routes[0].resets["full"] == 8 && pooler.routes[0].parses["pooler"] == 9)
    }
}
