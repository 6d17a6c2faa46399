// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Synchronization

/// Where a server of LDAP is asked.
struct LDAPPlace: Hashable, CustomStringConvertible, Sendable {
    let uri: String
    /// One of those that the server's name has; nil for all of them, where the name cannot be looked up.
    let address: SocketAddress?

    var description: String {
        guard let address, !uri.contains(address.host) else { return "LDAP \(uri)" }
        return "LDAP \(uri) (\(address.host))"
    }
}

/// Where nothing was answered lately. It is asked last for a while: otherwise every login would wait for the same silent server again.
final class LDAPDoubts: Sendable {
    private let ends = Mutex<[LDAPPlace: Deadline]>([:])
    private let report: @Sendable (String) -> Void

    /// One login in such a time finds out whether there are answers again, unless all servers are in doubt.
    static let period = Duration.seconds(60)

    /// - Parameter report: is told, from any thread, what happened at a place that was not in doubt before.
    init(report: @escaping @Sendable (String) -> Void) { self.report = report }

    /// There was no answer, for this reason, which names the place.
    func add(_ place: LDAPPlace, because reason: String, at now: Deadline) {
        let end = now + Self.period
        let isNews = ends.withLock { ends in
            let old = ends.updateValue(end, forKey: place)
            return old.map { $0 <= now } ?? true
        }
        if isNews { report("\(reason); for a minute it is asked last") }
    }

    /// There was one.
    func remove(_ place: LDAPPlace) { ends.withLock { $0[place] = nil } }

    /// Those in doubt; what has passed is forgotten.
    func current(at now: Deadline) -> Set<LDAPPlace> {
        ends.withLock { ends in
            ends = ends.filter { now < $0.value }
            return Set(ends.keys)
        }
    }
}
