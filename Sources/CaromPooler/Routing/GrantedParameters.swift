// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Synchronization

/// The session parameters that clients of a route asked for and a server granted, with what it made of them: `utc` becomes
/// `UTC`. So a server is asked once for each set of wishes, not for each client.
///
/// The last few answers are handed out as they are: clients that ask for the same share one table, instead of one each.
final class GrantedParameters: Sendable {
    private struct Known {
        var sets: [SessionParameters: SessionParameters] = [:]
        var recent: [(wishes: SessionParameters, granted: SessionParameters)] = []
        var oldest = 0
    }

    private let known = Mutex(Known())

    /// Sets that are kept. Clients can invent as many as they like; those that matter are few.
    private static let limit = 256
    private static let recentLimit = 8
    /// Every value of it is granted, and many programs put a process number into it.
    private static let free = "application_name"

    /// What a client with these wishes gets; `nil` if only a server can tell.
    func answer(to wishes: SessionParameters, defaults: SessionParameters) -> SessionParameters? {
        if wishes == defaults { return defaults }
        return known.withLock { known in
            if let same = known.recent.first(where: { $0.wishes == wishes }) { return same.granted }
            let key = Self.key(wishes)
            guard var granted = key == Self.key(defaults) ? wishes : known.sets[key] else { return nil }
            if let name = wishes[Self.free] { granted.set(Self.free, to: name) }
            Self.remember(wishes, granted, in: &known)
            return granted
        }
    }

    /// A server has granted `wishes`, and reports `granted` now.
    func note(_ wishes: SessionParameters, became granted: SessionParameters) {
        known.withLock { known in
            if known.sets.count >= Self.limit { known.sets.removeAll() }
            known.sets[Self.key(wishes)] = granted
            Self.remember(wishes, granted, in: &known)
        }
    }

    private static func remember(
        _ wishes: SessionParameters, _ granted: SessionParameters, in known: inout Known
    ) {
        if known.recent.count < recentLimit { return known.recent.append((wishes, granted)) }
        known.recent[known.oldest] = (wishes, granted)
        known.oldest = (known.oldest + 1) % recentLimit
    }

    private static func key(_ parameters: SessionParameters) -> SessionParameters {
        var key = parameters
        key.remove(free)
        return key
    }
}
