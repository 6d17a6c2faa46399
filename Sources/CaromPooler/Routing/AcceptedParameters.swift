// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Synchronization

/// The session settings that clients of a route asked for and a server accepted, with what it made of them: `utc` becomes
/// `UTC`. So a server is asked once for each set of values, not for each client.
///
/// The last few sets are kept with the greeting that goes with them: clients that ask for the same share one table, and are
/// greeted by a copy of bytes.
final class AcceptedParameters: Sendable {
    /// What a client with certain settings has, and is told.
    final class Entry: Sendable {
        let parameters: SessionParameters
        /// AuthenticationOk and a ParameterStatus for each setting that is known.
        private let beginning: [UInt8]

        init(_ parameters: SessionParameters) {
            self.parameters = parameters
            var bytes: [UInt8] = []
            AuthenticationRequest.ok.encode(into: &bytes)
            for parameter in parameters.known {
                ParameterStatus(name: parameter.name, value: parameter.value).encode(into: &bytes)
            }
            beginning = bytes
        }

        /// The whole greeting, with the client's own key.
        func greeting(_ key: BackendKeyData) -> [UInt8] {
            var bytes = beginning
            key.encode(into: &bytes)
            bytes.append(contentsOf: ReadyForQuery.idleMessage)
            return bytes
        }
    }

    private struct Known {
        var defaults: SessionParameters?
        var sets: [SessionParameters: SessionParameters] = [:]
        var recent: [(wanted: SessionParameters, entry: Entry)] = []
        var oldest = 0
    }

    private let known = Mutex(Known())
    private let changes = Atomic<Int>(0)

    /// Changes with the defaults: what was accepted before must be asked again.
    var generation: Int { changes.load(ordering: .acquiring) }

    /// Sets that are kept. Clients can invent as many as they like; those that matter are few.
    private static let limit = 256
    private static let recentLimit = 8
    /// Every value of it is accepted, and many programs put a process number into it.
    private static let free = "application_name"

    /// What servers of the route report after a login; nil until one has been connected.
    var defaults: SessionParameters? { known.withLock { $0.defaults } }

    /// A server has reported these after its login.
    func learn(_ defaults: SessionParameters) {
        known.withLock { known in
            if known.defaults == defaults { return }
            known = Known()
            known.defaults = defaults
            changes.wrappingAdd(1, ordering: .releasing)
        }
    }

    /// What a client with these settings has; nil if only a server can tell.
    func entry(for wanted: SessionParameters) -> Entry? {
        known.withLock { known in
            if let same = known.recent.first(where: { $0.wanted == wanted }) { return same.entry }
            guard let defaults = known.defaults else { return nil }
            let key = Self.key(wanted)
            guard var accepted = key == Self.key(defaults) ? wanted : known.sets[key] else { return nil }
            if let name = wanted[Self.free] { accepted.set(Self.free, to: name) }
            return Self.remember(wanted, accepted, in: &known)
        }
    }

    /// A server has accepted `wanted`, and reports `accepted` now.
    func record(_ wanted: SessionParameters, became accepted: SessionParameters) -> Entry {
        known.withLock { known in
            if known.sets.count >= Self.limit { known.sets.removeAll() }
            known.sets[Self.key(wanted)] = accepted
            return Self.remember(wanted, accepted, in: &known)
        }
    }

    /// For a client that is greeted before a server could be asked.
    func unconfirmed(_ wanted: SessionParameters) -> Entry { Entry(wanted) }

    private static func remember(
        _ wanted: SessionParameters, _ accepted: SessionParameters, in known: inout Known
    ) -> Entry {
        let entry = Entry(accepted)
        if known.recent.count < recentLimit {
            known.recent.append((wanted, entry))
        } else {
            known.recent[known.oldest] = (wanted, entry)
            known.oldest = (known.oldest + 1) % recentLimit
        }
        return entry
    }

    private static func key(_ parameters: SessionParameters) -> SessionParameters {
        var key = parameters
        key.remove(free)
        return key
    }
}
