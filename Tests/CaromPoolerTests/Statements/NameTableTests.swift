// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromPooler

extension NameTable {
    fileprivate subscript(text: String) -> Value? {
        mutating get {
            let bytes = Array(text.utf8)
            return self[bytes.span.bytes]
        }
    }

    @discardableResult
    fileprivate mutating func set(_ text: String, to value: Value?) -> Value? {
        let bytes = Array(text.utf8)
        return set(bytes.span.bytes, to: value)
    }
}

@Suite struct NameTableTests {
    @Test func aNameIsFoundByAllItsBytes() {
        var table = NameTable<Int>()
        #expect(table.isEmpty && table["a"] == nil)
        table.set("a", to: 1)
        table.set("ab", to: 2)
        table.set("", to: 3)
        table.set("a\0", to: 4)
        #expect(
            table["a"] == 1 && table["ab"] == 2 && table[""] == 3 && table["a\0"] == 4 && table["b"] == nil)
        #expect(table.count == 4)
    }

    @Test func theValueBeforeIsToldOf() {
        var table = NameTable<Int>()
        #expect(table.set("a", to: nil) == nil)
        #expect(table.set("a", to: 1) == nil)
        #expect(table.set("a", to: 2) == 1)
        #expect(table.set("a", to: nil) == 2)
        #expect(table.set("a", to: nil) == nil)
        #expect(table.isEmpty)
    }

    @Test func aNameIsFoundByItsValue() {
        var table = NameTable<Int>()
        for number in 0..<30 { table.set("n\(number)", to: number) }
        #expect(table.name { $0 == 17 } == Array("n17".utf8))
        #expect(table.name { $0 == 99 } == nil)
    }

    @Test func nothingIsLeftWhenAllIsRemoved() {
        for count in [1, 8, 9, 30] {
            var table = NameTable<Int>()
            for number in 0..<count { table.set("n\(number)", to: number) }
            table.removeAll()
            #expect(table.isEmpty && table["n0"] == nil)
            table.set("n0", to: 5)
            #expect(table["n0"] == 5 && table.count == 1)
        }
    }

    @Test(arguments: 0..<200 as Range<UInt64>)
    func aTableIsADictionary(_ seed: UInt64) {
        var random = SeededRandom(seed: seed)
        var table = NameTable<Int>()
        var dictionary: [String: Int] = [:]
        // Small tables are searched one by one; the number of names decides how often a table is one.
        let names = (0..<[3, 9, 12, 40].randomElement(using: &random)!).map { number in
            String(repeating: "x", count: number % 5) + (number < 5 ? "" : "\(number)")
        }
        for step in 0..<600 {
            let name = names.randomElement(using: &random)!
            switch Int.random(in: 0..<100, using: &random) {
            case 0: (table, dictionary) = (NameTable(), [:])
            case 1:
                table.removeAll()
                dictionary = [:]
            case 2..<40:
                #expect(
                    table.set(name, to: step) == dictionary.updateValue(step, forKey: name), "seed \(seed)")
            case 40..<70:
                #expect(table.set(name, to: nil) == dictionary.removeValue(forKey: name), "seed \(seed)")
            default: #expect(table[name] == dictionary[name], "seed \(seed)")
            }
            #expect(table.count == dictionary.count && table.isEmpty == dictionary.isEmpty, "seed \(seed)")
        }
        for name in names { #expect(table[name] == dictionary[name], "seed \(seed)") }
    }
}
