// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPostgresProtocol

/// Keys that were derived before.
@Suite struct SCRAMKeyCacheTests {
    private func keys(_ number: UInt8) -> SCRAMKeys { SCRAMKeys(clientKey: [number], serverKey: [number]) }

    @Test func keysAreFoundByTheirName() {
        var cache = SCRAMKeyCache(limit: 2)
        #expect(cache.recall([1]) == nil)
        cache.remember(keys(1), as: [1])
        #expect(cache.recall([1]) == keys(1))
        cache.remember(keys(9), as: [1])
        #expect(cache.recall([1]) == keys(9))
        #expect(cache.count == 1)
    }

    @Test func theOnesThatWereNotUsedForLongestMakeRoom() {
        var cache = SCRAMKeyCache(limit: 3)
        for number in UInt8(1)...3 { cache.remember(keys(number), as: [number]) }
        _ = cache.recall([1])
        cache.remember(keys(4), as: [4])
        #expect(cache.recall([2]) == nil)
        #expect([1, 3, 4].allSatisfy { cache.recall([$0]) == keys($0) })
        for number in UInt8(10)...200 {
            cache.remember(keys(number), as: [number])
            #expect(cache.recall([4]) == keys(4))
        }
        #expect(cache.count == 3)
    }
}
