// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

extension StatementRegistry {
    fileprivate func statement(_ text: String, meaning: String? = "") -> PreparedStatement {
        let bytes = Array(text.utf8)
        let settings = meaning.map { TextMeaning(SettingValues([StartupParameter("search_path", $0)])) }
        return statement(bytes.span.bytes, meaning: settings, effects: [])
    }
}

@Suite struct StatementRegistryTests {
    @Test func theSameTextUnderTheSameSettingsIsOneStatement() {
        let registry = StatementRegistry()
        let first = registry.statement("select 1", meaning: "a")
        #expect(registry.statement("select 1", meaning: "a") === first)
        #expect(registry.size == (1, 8))
    }

    @Test func anotherTextOrOtherSettingsAreAnotherStatement() {
        let registry = StatementRegistry()
        // Text and settings are hashed one behind the other.
        let all = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("ab", "d")].map {
            registry.statement($0, meaning: $1)
        }
        #expect(Set(all.map(\.number)).count == 5)
        #expect(registry.size == (5, 8))
    }

    @Test func aStatementWithoutSettingsIsNobodyElses() {
        let registry = StatementRegistry()
        let all = [
            registry.statement("a", meaning: nil), registry.statement("a", meaning: nil),
            registry.statement("a"),
        ]
        #expect(Set(all.map(\.number)).count == 3)
        #expect(registry.size == (1, 1))
    }

    @Test func aStatementIsForgottenWithItsLastClient() {
        let registry = StatementRegistry()
        var first: PreparedStatement? = registry.statement("select 1")
        var second: PreparedStatement? = registry.statement("select 1")
        let number = first?.number
        first = nil
        #expect(registry.size == (1, 8) && second?.number == number)
        second = nil
        #expect(registry.size == (0, 0))
        #expect(registry.statement("select 1").number != number, "servers may still have the old one")
    }

    @Test func effectsAreReadOnceForAll() {
        let registry = StatementRegistry()
        var reads = 0
        func effects() -> StatementEffects {
            reads += 1
            return .keeps
        }
        let bytes = Array("listen x".utf8)
        let meaning = TextMeaning(SettingValues())
        let first = registry.statement(bytes.span.bytes, meaning: meaning, effects: effects())
        let second = registry.statement(bytes.span.bytes, meaning: meaning, effects: effects())
        #expect(first === second && first.effects == .keeps && reads == 1)
    }

    @Test func theClockAndTheNumbersNeverRepeat() {
        let registry = StatementRegistry()
        let times = (0..<100).map { _ in registry.now() }
        #expect(times == times.sorted() && Set(times).count == 100 && times[0] > 0)
        #expect(Set((0..<100).map { _ in registry.nextNumber() }).count == 100)
    }

    @Test(arguments: 0..<50 as Range<UInt64>)
    func theSizeIsThatOfWhatClientsHave(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        let registry = StatementRegistry()
        var held: [PreparedStatement] = []
        for _ in 0..<500 {
            if Bool.random(using: &random) || held.isEmpty {
                let text = String(repeating: "x", count: Int.random(in: 0...6, using: &random))
                held.append(registry.statement(text, meaning: ["a", "b"].randomElement(using: &random)!))
            } else {
                held.remove(at: Int.random(in: 0..<held.count, using: &random))
            }
            let different = Dictionary(held.map { ($0.number, $0.content.count) }) { first, _ in first }
            #expect(registry.size == (different.count, different.values.reduce(0, +)), "seed \(seed)")
        }
        held = []
        #expect(registry.size == (0, 0))
    }

    @Test func manyThreadsShareAndForget() async {
        let registry = StatementRegistry()
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    var random = SeededRandom(seed: UInt64(task))
                    var held: [PreparedStatement] = []
                    for _ in 0..<3_000 {
                        let text = "s\(Int.random(in: 0..<4, using: &random))"
                        let statement = registry.statement(text)
                        #expect(statement.content == Array(text.utf8))
                        held.append(statement)
                        if held.count > 2 { held.remove(at: Int.random(in: 0..<3, using: &random)) }
                    }
                }
            }
        }
        #expect(registry.size == (0, 0))
    }

    // MARK: Names

    @Test func aServersNameIsReadBack() {
        for number: UInt64 in [1, 9, 10, 12_345, .max] {
            let name = PreparedStatement.name(number)
            #expect(name == Array("carom_\(number)".utf8))
            #expect(PreparedStatement.number(ofName: name) == number)
            let isReserved = PreparedStatement.isReserved(name.span.bytes)
            #expect(isReserved)
        }
        for name in [
            "", "carom_", "carom_x", "carom_-1", "Carom_1", "xcarom_1", "carom_99999999999999999999",
            "carom_/1",
        ] {
            #expect(PreparedStatement.number(ofName: Array(name.utf8)) == nil, "\(name)")
        }
    }

    @Test func aClientsNameThatLooksLikeOneIsEscaped() {
        for (name, isReserved) in [
            ("", false), ("carom", false), ("carom_", true), ("carom_1", true), ("xcarom_", false),
        ] {
            let bytes = Array(name.utf8)
            let isTaken = PreparedStatement.isReserved(bytes.span.bytes)
            #expect(isTaken == isReserved, "\(name)")
            var escaped: [UInt8] = []
            PreparedStatement.appendEscaped(bytes, to: &escaped)
            #expect(
                PreparedStatement.number(ofName: escaped) == nil
                    && PreparedStatement.unescaped(escaped) == bytes)
        }
        #expect(PreparedStatement.unescaped(Array("carom_1".utf8)) == nil)
    }
}
