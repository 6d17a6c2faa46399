// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Glibc
import Synchronization

/// The keys that a client has shown to know when it logged in, for logins to servers that have the same verifier (SCRAM pass-through).
///
/// They are kept in memory only, as long as the route has clients or servers, and are wiped when others take their place and at the end.
final class PassedKeys: Sendable {
    /// The bytes belong to this alone: what goes in and out is copied. Otherwise wiping would meet a copy.
    private struct Held {
        var clientKey: [UInt8]
        var serverKey: [UInt8]
        let salt: [UInt8]
        let iterations: Int
    }

    private let held = Mutex<Held?>(nil)
    private let found = Mutex<StoredSecret?>(nil)

    init() {}

    deinit { held.withLock { Self.wipe(&$0) } }

    /// The keys of the client that logged in last.
    var value: SCRAMUserKeys? {
        held.withLock { held in
            held.map {
                SCRAMUserKeys(
                    SCRAMKeys(clientKey: $0.clientKey.map { $0 }, serverKey: $0.serverKey.map { $0 }),
                    salt: $0.salt, iterations: $0.iterations)
            }
        }
    }

    /// Keeps the keys of a client that has logged in.
    func keep(_ new: SCRAMUserKeys) {
        held.withLock { held in
            if let held, held.clientKey == new.keys.clientKey, held.salt == new.salt { return }
            Self.wipe(&held)
            held = Held(
                clientKey: new.keys.clientKey.map { $0 }, serverKey: new.keys.serverKey.map { $0 },
                salt: new.salt, iterations: new.iterations)
        }
    }

    /// The secret that an `auth_query` found for the client that logged in last.
    var secret: StoredSecret? { found.withLock { $0 } }

    /// Keeps a secret that an `auth_query` found for a client that has logged in.
    func keep(_ secret: StoredSecret) { found.withLock { $0 = secret } }

    private static func wipe(_ held: inout Held?) {
        if var keys = held {
            // The only reference to the bytes is to be here, or a copy would be wiped.
            held = nil
            overwrite(&keys.clientKey)
            overwrite(&keys.serverKey)
        }
    }

    private static func overwrite(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { memory in
            if let start = memory.baseAddress { explicit_bzero(start, memory.count) }
        }
    }
}
