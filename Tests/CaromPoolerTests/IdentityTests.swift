// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// Ids are UUIDs for everybody to see, cancel keys are secrets, and the one says nothing about the other.
@Suite struct IdentityTests {
    @Test(arguments: [(ConnectionID.Side.client, "c"), (.server, "s")])
    func anIDIsAUUIDOfVersion4BehindItsLetter(side: ConnectionID.Side, letter: String) {
        for _ in 0..<100 {
            let id = ConnectionID(side)
            let text = id.description
            #expect(text.utf8.count == 37 && text.hasPrefix(letter))
            let parts = text.dropFirst().split(separator: "-")
            #expect(parts.map(\.count) == [8, 4, 4, 4, 12])
            #expect(parts[2].hasPrefix("4"))
            #expect(["8", "9", "a", "b"].contains(parts[3].prefix(1)))
            #expect(ConnectionID(text) == id)
            #expect(ConnectionID(text.uppercased().replacingFirst(with: letter)) == id)
        }
    }

    @Test(arguments: [
        "", "c", "x00000000-0000-4000-8000-000000000000", "c00000000+0000-4000-8000-000000000000",
        "c00000000-0000-4000-8000-00000000000", "c00000000-0000-4000-8000-00000000000g",
        "c00000000-0000-4000-8000-0000000000000",
    ])
    func whatIsNoIDIsNotReadAsOne(text: String) {
        #expect(ConnectionID(text) == nil)
    }

    @Test func idsAndKeysDoNotRepeat() {
        let ids = Set((0..<10_000).map { _ in ConnectionID(.client) })
        #expect(ids.count == 10_000)
        let keys = Set((0..<1000).map { _ in Self.key(ProtocolVersion(3, 2)).data })
        #expect(keys.count == 1000)
    }

    @Test func theSameRandomBitsMakeTheSameID() {
        var random = Counting()
        #expect(ConnectionID(.server, using: &random).description == "s01010101-0101-4101-8202-020202020202")
    }

    @Test(arguments: [(UInt16(0), 4), (1, 4), (2, 32), (3, 32)])
    func aKeyIsAsLongAsItsProtocolAllows(minor: UInt16, length: Int) {
        for _ in 0..<100 {
            let key = Self.key(ProtocolVersion(3, minor)).data
            #expect(key.key.count == length)
            #expect(key.processID > 0 && key.processID <= Int32.max)
        }
    }

    @Test func everyBitOfAKeyIsDrawn() {
        var ones = [UInt8](repeating: 0, count: 32)
        var zeros = [UInt8](repeating: 0, count: 32)
        for _ in 0..<200 {
            for (index, byte) in Self.key(ProtocolVersion(3, 2)).data.key.enumerated() {
                ones[index] |= byte
                zeros[index] |= ~byte
            }
        }
        // That a bit never changes in 200 draws has odds of 2 to the minus 191.
        #expect(ones.allSatisfy { $0 == 0xFF } && zeros.allSatisfy { $0 == 0xFF })
    }

    @Test func aRequestMatchesTheWholeKeyOnly() {
        let key = Self.key(ProtocolVersion(3, 2))
        var request = key.data.cancelRequest
        #expect(key.matches(request))
        request.key[31] ^= 1
        #expect(!key.matches(request))
        request.key.removeLast()
        #expect(!key.matches(request))
        #expect(!key.matches(Self.key(ProtocolVersion(3, 2)).data.cancelRequest))
    }

    private static func key(_ version: ProtocolVersion) -> CancelKey {
        var random = BufferedRandom()
        return CancelKey(version: version, number: CancelKey.number(using: &random), using: &random)
    }

    @Test func aKeyDoesNotPrintItsSecret() {
        let key = Self.key(ProtocolVersion(3, 0))
        var dumped = ""
        dump(key, to: &dumped)
        #expect(!dumped.contains("first"))
        for text in ["\(key)", String(reflecting: key), dumped] {
            #expect(!text.contains("\(key.data.key)"))
            #expect(!text.contains("key: "))
        }
    }
}

/// 0x0101…, 0x0202…, and so on.
private struct Counting: RandomNumberGenerator {
    private var count: UInt64 = 0

    mutating func next() -> UInt64 {
        count += 1
        return count * 0x0101_0101_0101_0101
    }
}

extension String {
    fileprivate func replacingFirst(with letter: String) -> String { letter + dropFirst() }
}
