// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import CaromPooler

/// What a worker remembers of startup packets must never mean another client.
@Suite struct LoginMemoryTests {
    private let snapshot: Snapshot
    private let router: Router
    private static let packet: [UInt8] = [0, 0, 0, 9, 0, 3, 0, 0, 0]

    init() throws {
        let settings = try ConfigurationFile.parse(text: smallest).settings
        let log = PoolerLog(settings, writer: try LogWriter(descriptors: []))
        snapshot = try Snapshot(settings, previous: nil, log: log)
        let (_, events) = AsyncStream.makeStream(of: Router.Event.self)
        router = Router(
            reactors: [try Reactor(name: "test")], snapshot: snapshot, statementMemory: StatementMemory(),
            log: log,
            events: events)
    }

    private func route(_ user: String) throws -> Route {
        let definition = try #require(snapshot.route(database: "shop", user: user))
        return try #require(router.enter(definition.settings.pattern, Self.startup(user))).0
    }

    private static func startup(_ user: String) -> StartupMessage {
        StartupMessage(user: user, database: "shop")
    }

    /// A client of `route` comes, known or not, and is greeted. `meanwhile` happens before it is.
    private func greet(
        on route: Route, _ memory: inout LoginMemory, meanwhile: () -> Void = {}
    ) throws {
        let known = memory.recall(Self.packet, in: snapshot)
        let opening = Opening(
            LoginCaller(known?.startup ?? Self.startup("bob"), packet: known?.packet ?? Self.packet),
            remembered: known, snapshot)
        meanwhile()
        let accepted = route.accepted
        try #require(accepted.isKnown)
        let entry = try #require(accepted.entry(for: SettingValues(), at: .now))
        opening.remember(route, entry, in: &memory)
    }

    /// A server of the route reports this to a client without wishes.
    private func learn(_ reported: SettingValues, _ route: Route) {
        _ = route.accepted.record(
            SettingValues(), reported: reported, initial: reported, at: .now)
    }

    private func expectOnlyItsOwn(_ memory: LoginMemory) {
        #expect(memory.recall([], in: snapshot) == nil)
        #expect(memory.recall(Array(Self.packet.dropLast()), in: snapshot) == nil)
        #expect(memory.recall([0, 0, 0, 9, 0, 3, 0, 0, 1], in: snapshot) == nil)
        #expect(memory.recall(Self.packet, in: snapshot)?.startup.user == "bob")
        #expect(memory.recall(Self.packet + [1, 2], in: snapshot)?.startup.user == "bob")
    }

    @Test func aPacketIsKnownByAllItsBytes() throws {
        let route = try route("bob")
        learn(SettingValues(), route)
        var memory = LoginMemory()
        try greet(on: route, &memory)
        expectOnlyItsOwn(memory)
    }

    @Test func aPacketIsStillItselfWhenTheServersDefaultsHaveChanged() throws {
        let route = try route("bob")
        learn(SettingValues(), route)
        var memory = LoginMemory()
        try greet(on: route, &memory)
        try greet(on: route, &memory) {
            learn(SettingValues([StartupParameter("TimeZone", "UTC")]), route)
        }
        expectOnlyItsOwn(memory)
    }

    @Test func aRouteThatWasCollectedIsForgotten() throws {
        let old = try route("bob")
        learn(SettingValues(), old)
        var memory = LoginMemory()
        try greet(on: old, &memory)
        router.leave(old)
        router.collect(after: .zero)
        let new = try route("bob")
        try #require(new !== old)
        learn(SettingValues(), new)
        try greet(on: new, &memory)
        expectOnlyItsOwn(memory)
        #expect(memory.recall(Self.packet, in: snapshot)?.route === new)
    }
}
