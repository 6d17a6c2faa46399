// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// What is counted of the work that lets clients share servers.
@Suite struct SessionEventTests {
    private let registry = StatementRegistry()
    private let first = PooledServer()
    private let second = PooledServer()

    /// What was counted for a client while it did something, without what was not.
    private func count(_ client: PooledClient, during body: () -> Void) -> [SessionEvent: Int] {
        let before = client.rig.counters.values
        body()
        let after = client.rig.counters.values
        let differences = SessionEvent.allCases.map { ($0, after[$0] - before[$0]) }
        return Dictionary(uniqueKeysWithValues: differences.filter { $0.1 != 0 })
    }

    private func query(_ client: PooledClient, _ text: String, on server: PooledServer) {
        client.send(Messages.of { $0.query(text) }, on: server)
    }

    @Test func everyEventHasACounterOfItsOwn() {
        let counters = Counters()
        for (index, event) in SessionEvent.allCases.enumerated() {
            for _ in 0...index { counters.count(event) }
        }
        let sum = counters.values + counters.values
        for (index, event) in SessionEvent.allCases.enumerated() { #expect(sum[event] == 2 * (index + 1)) }
    }

    @Test func everyStateThatKeepsAServerHasAnEvent() {
        #expect(SessionEvent.pins.map(\.state) == KeptState.all.map(\.state) + [.unknown])
        #expect(Set(SessionEvent.pins.map(\.event)).count == SessionEvent.pins.count)
    }

    @Test func aPlainQueryCountsNothing() {
        let ada = PooledClient(1, registry)
        #expect(count(ada) { query(ada, "SELECT 1", on: first) } == [:])
    }

    @Test func aSettingCountsALookAndEachServerThatIsBroughtToIt() {
        let ada = PooledClient(1, registry)
        #expect(count(ada) { query(ada, "SET x = '1'", on: first) } == [.look: 1])
        #expect(count(ada) { query(ada, "SELECT 1", on: first) } == [:])
        #expect(count(ada) { query(ada, "SELECT 1", on: second) } == [.settings: 1])
    }

    @Test func whatKeepsAServerCountsOnceAsLongAsItDoes() {
        let ada = PooledClient(1, registry)
        #expect(count(ada) { query(ada, "LISTEN a", on: first) } == [.look: 1, .channelPin: 1])
        #expect(count(ada) { query(ada, "LISTEN b", on: first) } == [.look: 1])
        #expect(count(ada) { query(ada, "UNLISTEN *", on: first) } == [.look: 1])
        #expect(count(ada) { query(ada, "LISTEN c", on: first) } == [.look: 1, .channelPin: 1])
    }

    @Test(arguments: [
        (CleaningRule(), "SELECT f()", [SessionEvent.softReset: 1]),
        (CleaningRule(), "CALL p()", [.fullReset: 1]),
        (CleaningRule(onEveryChange: true, ifTainted: true), "SELECT 1", [.fullReset: 1]),
        (CleaningRule(ifTainted: false), "CALL p()", [:]),
    ])
    func aResetCountsForTheClientThatComesNext(
        _ rule: CleaningRule, _ text: String, _ expected: [SessionEvent: Int]
    ) {
        let (ada, bob) = (PooledClient(1, registry, rule: rule), PooledClient(2, registry, rule: rule))
        query(ada, text, on: first)
        #expect(count(bob) { query(bob, "SELECT 1", on: first) } == expected)
    }

    @Test func sequencesThatAreForgottenCount() {
        let (ada, bob) = (PooledClient(1, registry), PooledClient(2, registry))
        query(ada, "SELECT nextval('s')", on: first)
        let counted = count(bob) { query(bob, "SELECT currval('s')", on: first) }
        #expect(counted == [.sequenceReset: 1])
    }

    @Test func parsesAndUsesOfStatementsCount() {
        let ada = PooledClient(1, registry, limit: 1)
        func run(_ name: String, on server: PooledServer) -> [SessionEvent: Int] {
            count(ada) {
                ada.send(
                    Messages.of {
                        $0.run(name)
                        $0.sync()
                    }, on: server)
            }
        }
        func parse(_ name: String, _ text: String) -> [SessionEvent: Int] {
            count(ada) {
                ada.send(
                    Messages.of {
                        $0.parse(name, text)
                        $0.sync()
                    }, on: first)
            }
        }
        #expect(parse("a", "SELECT 1") == [.clientParse: 1])
        #expect(run("a", on: first) == [.bind: 1, .reuse: 1])
        #expect(run("a", on: second) == [.bind: 1, .poolerParse: 1])
        #expect(parse("b", "SELECT 2") == [.clientParse: 1, .eviction: 1])
        #expect(run("a", on: first) == [.bind: 1, .poolerParse: 1, .eviction: 1])
        #expect(parse("", "SELECT 3") == [.clientParse: 1])
        #expect(run("", on: first) == [.bind: 1])
        #expect(run("", on: second) == [.bind: 1, .poolerParse: 1])
    }
}
