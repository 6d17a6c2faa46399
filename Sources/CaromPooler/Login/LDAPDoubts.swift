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

/// Where nothing was answered lately. It is asked last: otherwise every login would wait for the same silent server again. Once in a while
/// one login tries it in its turn.
final class LDAPDoubts: Sendable {
    /// When it is tried next.
    private let tries = Mutex<[LDAPPlace: Deadline]>([:])
    private let report: @Sendable (String) -> Void

    static let period = Duration.seconds(60)
    /// Nobody asks there any more: the configuration or the nameserver says something else now.
    private static let longest = Duration.seconds(3600)

    /// - Parameter report: is told, from any thread, when a doubt begins or ends.
    init(report: @escaping @Sendable (String) -> Void) { self.report = report }

    /// Whether a login may ask there in its turn. If it is the one that tries whether there are answers again, the others go on waiting.
    func mayAsk(_ place: LDAPPlace, at now: Deadline) -> Bool {
        tries.withLock { tries in
            guard let next = tries[place] else { return true }
            if now < next { return false }
            tries[place] = now + Self.period
            return true
        }
    }

    /// There was no answer, for this reason, which names the place.
    func add(_ place: LDAPPlace, because reason: String, at now: Deadline) {
        let isNew = tries.withLock { tries in
            tries = tries.filter { now < $0.value + Self.longest }
            return tries.updateValue(now + Self.period, forKey: place) == nil
        }
        if isNew { report("\(reason); until it answers again others are asked first") }
    }

    /// There was one.
    func remove(_ place: LDAPPlace) {
        let wasThere = tries.withLock { $0.removeValue(forKey: place) } != nil
        if wasThere { report("\(place): it answers again") }
    }
}
