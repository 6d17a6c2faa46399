// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import Synchronization
import Testing

@testable import CaromPostgres

/// Keys that are made beside the loops.
@Suite struct SCRAMKeyringTests {
    private let derivation = SCRAMKeyDerivation(password: [1, 2], salt: [3], iterations: 10)

    @Test func keysAreMadeAndKeptOnlyWhenTheyWereRight() async {
        let ring = SCRAMKeyring(name: "keys")
        let keys = await ring.keys(of: derivation)
        #expect(keys == derivation.keys(using: OpenSSLCryptography()))
        #expect(ring.recall(derivation) == nil)
        ring.remember(keys, of: derivation)
        #expect(ring.recall(derivation) == keys)
        #expect(
            ring.recall(SCRAMKeyDerivation(password: [1, 2], salt: [3], iterations: 11)) == nil)
    }

    /// However long a computation takes, the loop has turns meanwhile: it is the loop that ends this one.
    @Test func aLoopGoesOnWhileKeysAreMade() async throws {
        let reactor = try Reactor(name: "loop")
        try reactor.start()
        defer { reactor.stop() }
        let ring = SCRAMKeyring(name: "keys")
        let hasTurned = SystemSemaphore()
        // The ring's thread stands still until the loop has had a turn.
        ring.derive(derivation) { _ in hasTurned.wait() }
        let turns = Mutex(0)
        let keys = await withTaskExecutorPreference(reactor) {
            reactor.call {
                turns.withLock { $0 += 1 }
                hasTurned.signal()
            }
            let keys = await ring.keys(of: derivation)
            #expect(reactor.isCurrent)
            return keys
        }
        #expect(keys == derivation.keys(using: OpenSSLCryptography()))
        #expect(turns.withLock { $0 } == 1)
    }

    @Test func whatNobodyWantsAnyMoreIsNotMade() async {
        let ring = SCRAMKeyring(name: "keys")
        let made = Mutex<[Int]>([])
        ring.derive(derivation, ifWanted: { false }, then: { _ in made.withLock { $0.append(1) } })
        await withUnsafeContinuation { continuation in
            ring.derive(derivation) { _ in
                made.withLock { $0.append(2) }
                continuation.resume()
            }
        }
        #expect(made.withLock { $0 } == [2])
    }
}
