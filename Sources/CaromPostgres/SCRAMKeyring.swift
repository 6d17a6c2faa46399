// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// Makes SCRAM keys on a thread of its own, and keeps those that turned out to be right: a loop that hashed for one
/// peer would keep all others waiting, for as long as that peer likes.
package final class SCRAMKeyring: Sendable {
    /// For logins to servers, of the whole process. Its thread starts with the first use and lives as long as the program.
    static let servers = SCRAMKeyring(name: "server-keys")

    private let cryptography = OpenSSLCryptography()
    private let cache = Mutex(SCRAMKeyCache(limit: SCRAMKeyring.limit))
    private let secret: [UInt8]
    private let thread: ComputingThread?

    /// Keys that are kept; some 200 bytes each.
    private static var limit: Int { 1024 }

    /// - Parameter name: of the thread.
    package init(name: String) {
        secret = cryptography.randomBytes(32)
        // Without a thread whoever asks hashes for itself: slow, but right.
        thread = try? ComputingThread(name: name)
    }

    /// The keys, if they are known.
    package func recall(_ derivation: SCRAMKeyDerivation) -> SCRAMKeys? {
        let name = derivation.name(under: secret, using: cryptography)
        return cache.withLock { $0.recall(name) }
    }

    /// Keeps keys that turned out to be right. Others are not kept: whoever guesses passwords, or asks for another salt each
    /// time, shall not push out what is of use.
    package func remember(_ keys: SCRAMKeys, of derivation: SCRAMKeyDerivation) {
        let name = derivation.name(under: secret, using: cryptography)
        cache.withLock { $0.remember(keys, as: name) }
    }

    /// Makes keys and gives them to `body` on the ring's thread, unless nobody wants them any more when their turn comes.
    package func derive(
        _ derivation: SCRAMKeyDerivation, ifWanted: @escaping @Sendable () -> Bool = { true },
        then body: @escaping @Sendable (SCRAMKeys) -> Void
    ) {
        let cryptography = cryptography
        let job: @Sendable () -> Void = {
            if ifWanted() { body(derivation.keys(using: cryptography)) }
        }
        if let thread { thread.submit(job) } else { job() }
    }

    /// The keys, known or made; the task waits, and its thread does not.
    func keys(of derivation: SCRAMKeyDerivation) async -> SCRAMKeys {
        if let known = recall(derivation) { return known }
        return await withUnsafeContinuation { continuation in
            derive(derivation) { continuation.resume(returning: $0) }
        }
    }
}
