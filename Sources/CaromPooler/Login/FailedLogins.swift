// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// How often clients of an address may fail to log in: at once, and in each period.
struct FailureLimit {
    let failures: Int
    let period: Duration

    init(failures: Int, period: Duration) {
        self.failures = failures
        self.period = period
    }

    /// Nil if they may as often as they like.
    init?(_ settings: Settings) {
        guard let failures = settings.authFailureLimit else { return nil }
        self.init(failures: failures, period: settings.authFailurePeriod)
    }
}

/// How often clients of each address have failed to log in lately.
///
/// Each failure fills the address's measure by one, and the measure empties steadily, all of it in the period: so an address may fail as often as
/// the limit at once, and from then on as often as the limit in each period.
struct FailedLogins {
    /// Addresses that count as one.
    enum Source: Hashable, Sendable {
        case ipv4(UInt32)
        /// Whoever has one address of these has all of them.
        case ipv6Network(UInt64)

        /// Nil for what is no IP address.
        init?(_ address: SocketAddress) {
            guard case .ip(let host, _) = address.kind, let address = IPNetwork.Address(host) else {
                return nil
            }
            let number = address.bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            self = address.bytes.count == 4 ? .ipv4(UInt32(truncatingIfNeeded: number)) : .ipv6Network(number)
        }
    }

    /// When each measure is empty again, of those that were touched lately and of those before: when there are too many the older half is
    /// forgotten.
    private var recent: [Source: Deadline] = [:]
    private var older: [Source: Deadline] = [:]
    private let capacity: Int

    /// - Parameter capacity: addresses that are remembered.
    init(capacity: Int) { self.capacity = capacity }

    /// Addresses that are remembered.
    var count: Int { recent.count + older.count }

    /// A client has failed to log in.
    ///
    /// - Returns: whether that was the last time for now.
    mutating func fail(from source: Source, at now: Deadline, _ limit: FailureLimit) -> Bool {
        let known = recent[source] ?? older.removeValue(forKey: source)
        let full = known.map { max($0, now) } ?? now
        if recent[source] == nil, recent.count >= capacity / 2 {
            older = recent.filter { $0.value > now }
            recent = [:]
        }
        recent[source] = min(full + limit.period / limit.failures, now + limit.period)
        return isFull(source, at: now, limit)
    }

    /// Whether clients from there are not to be heard now.
    func isFull(_ source: Source, at now: Deadline, _ limit: FailureLimit) -> Bool {
        guard let empty = recent[source] ?? older[source] else { return false }
        return now.duration(to: empty) > limit.period - limit.period / limit.failures
    }
}

/// The failed logins of all workers' clients. Nothing is locked where there are none, or no limit.
final class LoginFailures: Sendable {
    private let failures = Mutex(FailedLogins(capacity: LoginFailures.capacity))
    private let hasSome = Atomic<Bool>(false)
    private let failed = Atomic<Int>(0)
    private let refused = Atomic<Int>(0)
    private let log: PoolerLog

    private static let capacity = 20_000

    init(log: PoolerLog) { self.log = log }

    /// Logins that have failed since the start.
    var failedCount: Int { failed.load(ordering: .relaxed) }

    /// Clients that were not heard because others from there had failed too often.
    var refusedCount: Int { refused.load(ordering: .relaxed) }

    /// A client has failed to log in.
    func count(from peer: SocketAddress, _ limit: FailureLimit?) {
        failed.wrappingAdd(1, ordering: .relaxed)
        guard let limit, let source = FailedLogins.Source(peer) else { return }
        let isLast = failures.withLock { $0.fail(from: source, at: .now, limit) }
        hasSome.store(true, ordering: .relaxed)
        if isLast {
            log.error(
                "too many failed logins from \(peer.host): clients from there are refused for a while (auth_failure_limit \(limit.failures))"
            )
        }
    }

    /// Whether a client is not to be heard, which is counted.
    func refuses(_ peer: SocketAddress, _ limit: FailureLimit?) -> Bool {
        guard let limit, hasSome.load(ordering: .relaxed), let source = FailedLogins.Source(peer) else {
            return false
        }
        let isFull = failures.withLock { $0.isFull(source, at: .now, limit) }
        if isFull { refused.wrappingAdd(1, ordering: .relaxed) }
        return isFull
    }

    /// - Throws: the refusal of a client that is not to be heard.
    func check(_ peer: SocketAddress, _ limit: FailureLimit?) throws(SessionEnd) {
        if refuses(peer, limit) {
            throw .fatal(
                .invalidAuthorization, "too many failed logins from this address",
                hint: "Wait for a moment (auth_failure_limit, auth_failure_period).")
        }
    }
}
