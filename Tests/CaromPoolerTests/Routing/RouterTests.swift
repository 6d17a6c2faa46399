// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import CaromPooler

/// Live routes, and what becomes of them when the configuration changes.
@Suite struct RouterTests {
    private let router: Router
    private let first: Snapshot
    private let log: PoolerLog
    private let pattern = RoutePattern(database: .anything, user: .anything)

    init() throws {
        let settings = try ConfigurationFile.parse(text: Self.text("pool_size 4")).settings
        log = PoolerLog(settings, writer: try LogWriter(descriptors: []))
        first = try Snapshot(settings, previous: nil, log: log)
        let (_, events) = AsyncStream.makeStream(of: Router.Event.self)
        router = Router(
            reactors: [try Reactor(name: "test")], snapshot: first, statementMemory: StatementMemory(),
            log: log,
            events: events)
    }

    private static func text(_ directives: String, host: String = "127.0.0.1") -> String {
        """
        listen { host "*" }
        storage "pg" { type "remote" host "\(host)" }
        database "one" { user "u" { authentication "none" storage "pg" pool "session" } }
        database default { user default {
            authentication "none" storage "pg" pool "transaction" \(directives)
        } }
        """
    }

    private func next(_ text: String) throws -> Snapshot {
        try Snapshot(try ConfigurationFile.parse(text: text).settings, previous: first, log: log)
    }

    private func enter(_ database: String = "shop", _ replication: StartupMessage.Replication = .none) throws
        -> Route
    {
        try #require(router.enter(pattern, Self.startup(database, replication))).0
    }

    private static func startup(_ database: String, _ replication: StartupMessage.Replication = .none)
        -> StartupMessage
    {
        StartupMessage(
            user: "bob", database: database, replication: replication, options: "-c work_mem=1MB",
            parameters: [StartupParameter("application_name", "copy"), StartupParameter("search_path", "a")])
    }

    private func successor(_ route: Route) -> Route? {
        router.successor(of: route, database: "shop", user: "bob")
    }

    @Test func aRouteThatDidNotChangeStays() throws {
        let route = try enter()
        let next = try next(Self.text("pool_size 4").replacing("\"session\"", with: "\"transaction\""))
        #expect(router.apply(next).isEmpty)
        #expect(try enter() === route)
        #expect(successor(route) === route)
    }

    @Test func otherLimitsKeepTheServersAndTheClients() throws {
        let route = try enter()
        #expect(router.apply(try next(Self.text("pool_size 9"))).isEmpty)
        let now = try enter()
        #expect(now !== route && now.pool === route.pool && now.accepted === route.accepted)
        #expect(now.pool.policy.maxSlots == 9)
        #expect(now.admission.count == 2 && now.counters[0] === route.counters[0])
        #expect(successor(route) === route, "its clients need not go anywhere")
        #expect(router.enter(route) == nil, "and nobody comes in by the old one")
    }

    @Test func otherServersAreAnotherPoolWithTheSameHistory() throws {
        let route = try enter()
        let retired = router.apply(try next(Self.text("pool_size 4", host: "127.0.0.2")))
        #expect(retired.count == 1 && retired[0] === route)
        #expect(router.all.isEmpty)
        let now = try #require(successor(route))
        #expect(now.pool !== route.pool && now.history === route.history)
        #expect(try enter() === now)
        #expect(successor(now) === now)
    }

    @Test func aHistoryIsNotLostIfNobodyCameBeforeTheNextChange() throws {
        let route = try enter()
        _ = router.apply(try next(Self.text("", host: "127.0.0.2")))
        _ = router.apply(try next(Self.text("", host: "127.0.0.3")))
        #expect(try enter().history === route.history)
    }

    @Test func aRouteThatIsGoneHasNoSuccessor() throws {
        let route = try enter()
        let next = try next(
            "listen { host \"*\" } storage \"pg\" { type \"remote\" host \"127.0.0.1\" }"
                + "database \"one\" { user \"u\" { authentication \"none\" storage \"pg\" pool \"session\" } }"
        )
        #expect(router.apply(next).map(ObjectIdentifier.init) == [ObjectIdentifier(route)])
        #expect(successor(route) == nil)
        #expect(router.enter(pattern, Self.startup("shop")) == nil)
    }

    @Test func aRouteToAnotherDatabaseIsNoneForThoseWhoAreHere() throws {
        let route = try enter()
        _ = router.apply(try next(Self.text("storage_db \"other\"")))
        #expect(successor(route) == nil)
        #expect(try enter().key.database == "other")
    }

    @Test func aClientForReplicationHasARouteOfItsOwnWithOneServer() throws {
        let route = try enter()
        let (one, other) = (try enter("shop", .physical), try enter("shop", .logical))
        #expect(one.pool !== route.pool && one.pool !== other.pool && one.key == route.key)
        #expect(one.definition.replication == .physical && other.definition.replication == .logical)
        #expect(one.definition.keepsServer && !route.definition.keepsServer)
        #expect(one.pool.policy.maxSlots == 1 && one.definition.limits == nil)
        #expect(router.all.count == 1 && router.dedicated.count == 2)
        #expect(route.admission.count == 3 && one.history === route.history)
        for route in [one, other] { router.leave(route) }
        #expect(router.dedicated.isEmpty && route.admission.count == 1)
    }

    @Test func itsServerIsToldWhatTheClientAndTheRouteSay() throws {
        _ = router.apply(try next("ignore_startup_parameters \"search_path\"\n" + Self.text("pool_size 4")))
        let configuration = try enter("shop", .logical).connector.configuration
        #expect(configuration.replication == .logical && configuration.options == "-c work_mem=1MB")
        #expect(configuration.parameters == ["application_name": "copy"])
    }

    @Test func itCountsUnderTheSizeOfItsRoute() throws {
        let route = try enter()
        #expect(route.serverLimits.isEmpty)
        let own = try enter("shop", .physical)
        let limit = QuotaLimit(QuotaGroup("route", "shop.bob (default.default)"), 4)
        #expect(route.serverLimits == [limit] && own.serverLimits == [limit])
        _ = router.apply(try next(Self.text("pool_size 9 reserve_pool_size 2")))
        #expect(try enter().serverLimits.map(\.limit) == [11])
        #expect(try enter("shop", .physical).serverLimits.map(\.limit) == [9], "the reserve is not for it")
    }

    @Test func itKeepsItsServerAsLongAsThatIsReachedInTheSameWay() throws {
        let own = try enter("shop", .physical)
        _ = router.apply(try next(Self.text("pool_size 9")))
        #expect(successor(own) === own)
        _ = router.apply(try next(Self.text("", host: "127.0.0.2")))
        #expect(successor(own) !== own)
    }

    @Test func noNumberMeansTwoStatements() throws {
        let (one, other) = (try enter("a"), try enter("b"))
        #expect(one.statements !== other.statements)
        #expect(one.statements.nextNumber() != other.statements.nextNumber())
    }
}
