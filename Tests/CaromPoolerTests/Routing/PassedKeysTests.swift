// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// The keys of clients, kept for their servers.
@Suite struct PassedKeysTests {
    private static func keys(_ byte: UInt8) -> SCRAMUserKeys {
        SCRAMUserKeys(
            SCRAMKeys(
                clientKey: Array(repeating: byte, count: 32), serverKey: Array(repeating: byte, count: 32)),
            salt: [byte], iterations: Int(byte))
    }

    @Test func theClientThatLoggedInLastIsTheOneThatCounts() {
        let kept = PassedKeys()
        #expect(kept.value == nil)
        for byte in [UInt8(1), 2, 2] {
            kept.keep(Self.keys(byte))
            #expect(kept.value == Self.keys(byte))
        }
    }

    /// Wiping the old keys must not reach those that somebody was given before.
    @Test func keysThatWereGivenOutStayWhatTheyAre() {
        let kept = PassedKeys()
        let first = Self.keys(1)
        kept.keep(first)
        let given = kept.value
        kept.keep(Self.keys(2))
        #expect(given == Self.keys(1) && first == Self.keys(1))
    }
}
