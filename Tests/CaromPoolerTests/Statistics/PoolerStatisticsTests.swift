// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom
@testable import CaromPooler

@Suite struct PoolerStatisticsTests {
    @Test func clientsAreCountedByWhatTheyAreDoing() {
        let pool = Sample.pool("shop.app", [Sample.backend(Sample.first)], waiting: 2)
        let statistics = Sample.statistics(
            [Sample.route("shop", "app", clients: 12, pool)], clients: [10, 6], consoleClients: 1)
        // Four hold a server; two are queued and for three more one is being prepared.
        #expect(
            statistics.clients
                == PoolerStatistics.Clients(login: 3, idle: 3, waiting: 5, active: 4, console: 1)
        )
        #expect(statistics.clients.total == 16)
        #expect(statistics.clientsByWorker == [10, 6])
    }

    /// Numbers are read one after the other: a client may have left between two of them.
    @Test(arguments: 0...12)
    func noStateHasANegativeNumber(_ clients: Int) {
        let pool = Sample.pool("shop.app", [Sample.backend(Sample.first)], waiting: 2)
        let statistics = Sample.statistics(
            [Sample.route("shop", "app", clients: clients, pool)], clients: [0])
        #expect(statistics.clients.byState.allSatisfy { $0.count >= 0 })
        #expect(statistics.routes[0].clients.total == clients)
    }

    @Test func serversOfAllBackendsAndRoutesAddUp() {
        let backends = [Sample.backend(Sample.first), Sample.backend(Sample.second)]
        let statistics = Sample.statistics([
            Sample.route("shop", "app", Sample.pool("shop.app", backends)),
            Sample.route("shop", "ops", Sample.pool("shop.ops", [backends[0]])),
        ])
        #expect(
            statistics.servers
                == PoolerStatistics.Servers(
                    connecting: 3, idle: 6, acquiring: 9, active: 12, checking: 15, recycling: 18, closing: 21
                ))
        #expect(statistics.routes[0].servers.active == 8)
        #expect(statistics.servers.total == 84)
    }

    @Test func countersOfAllWorkersAddUp() {
        let one = Counters.Values(queries: 3, transactions: 2, received: 10, sent: 105)
        let two = Counters.Values(queries: 1, transactions: 1, sent: 1)
        let statistics = Sample.statistics([Sample.route("shop", "app", counters: [one, two])])
        #expect(
            statistics.routes[0].counters
                == Counters.Values(queries: 4, transactions: 3, received: 10, sent: 106))
    }

    @Test func routesAreInOrderAndNoTwoPoolsHaveOneName() {
        let statistics = Sample.statistics([
            Sample.route("shop", "ops"), Sample.route("shop", "app", rule: "default.app"),
            Sample.route("shop", "app", rule: "shop.app"), Sample.route("bank", "z"),
        ])
        #expect(
            statistics.routes.map(\.name) == [
                "bank.z", "shop.app (default.app)", "shop.app (shop.app)", "shop.ops",
            ])
    }

    @Test func linesTellTheRatesSinceTheLastOnes() {
        let pool = Sample.pool("shop.app", [Sample.backend(Sample.first)], waiting: 2)
        let before = Sample.statistics([
            Sample.route("shop", "app", counters: [.init(queries: 100, transactions: 50)], pool)
        ])
        let now = Sample.statistics(
            [
                Sample.route("shop", "app", counters: [.init(queries: 160, transactions: 80)], pool),
                Sample.route("shop", "new", counters: [.init(queries: 9, transactions: 6)]),
            ], at: 3)
        #expect(
            StatisticsLog.lines(now, before: before) == [
                "clients 25, routes 2",
                "[shop.app] clients 10, servers active 4, idle 2, waiting 2, transactions/s 10, queries/s 20",
                "[shop.new] clients 10, servers active 0, idle 0, waiting 0, transactions/s 2, queries/s 3",
            ])
    }

    @Test func aRouteThatCameBackHasNoNegativeRate() {
        let before = Sample.statistics([
            Sample.route("shop", "app", counters: [.init(queries: 100, transactions: 50)])
        ])
        let now = Sample.statistics([Sample.route("shop", "app", counters: [.init(queries: 1)])], at: 1)
        #expect(StatisticsLog.lines(now, before: before)[1].hasSuffix("transactions/s 0, queries/s 0"))
    }
}
