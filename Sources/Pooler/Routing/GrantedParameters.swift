// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import PostgresProtocol
import Synchronization

/// The session parameters that clients of a route asked for and a server granted, with what it made of them: `utc` becomes
/// `UTC`. So a server is asked once for each set of wishes, not for each client.
final class GrantedParameters: Sendable {
    private let sets = Mutex<[SessionParameters: SessionParameters]>([:])

    /// Sets that are kept. Clients can invent as many as they like; those that matter are few.
    private static let limit = 256
    /// Every value of it is granted, and many programs put a process number into it.
    private static let free = "application_name"

    /// What a client with these wishes gets; `nil` if only a server can tell.
    func answer(to wishes: SessionParameters, defaults: SessionParameters) -> SessionParameters? {
        if wishes == defaults { return wishes }
        let key = Self.key(wishes)
        if key == Self.key(defaults) { return wishes }
        guard var granted = sets.withLock({ $0[key] }) else { return nil }
        if let name = wishes[Self.free] { granted.set(Self.free, to: name) }
        return granted
    }

    /// A server has granted `wishes`, and reports `granted` now.
    func note(_ wishes: SessionParameters, became granted: SessionParameters) {
        sets.withLock { sets in
            if sets.count >= Self.limit { sets.removeAll() }
            sets[Self.key(wishes)] = granted
        }
    }

    private static func key(_ parameters: SessionParameters) -> SessionParameters {
        var key = parameters
        key.remove(free)
        return key
    }
}
