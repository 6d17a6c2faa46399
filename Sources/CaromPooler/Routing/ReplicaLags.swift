// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromReactor
import Synchronization

/// What a server says of how far it lags.
enum LagReading: Equatable, Sendable {
    /// It is a primary.
    case primary
    /// It has replayed all that it has received.
    case caughtUp
    /// It last replayed what was committed so long ago; nil if it has never replayed anything. Where little is written that may be
    /// longer than it lags.
    case behind(Duration?)
    /// An operator's query says so.
    case lag(Duration)
}

/// How far one server lags, by what it has said so far. A value without a clock.
struct ReplicaLag: Equatable, Sendable {
    /// The last that is known; nil before anything is.
    private(set) var lag: Duration?
    /// It could not be reached since.
    private(set) var isLost = false
    private var caughtUpAt: Deadline?

    /// The server has answered.
    mutating func note(_ reading: LagReading, at now: Deadline) {
        isLost = false
        switch reading {
        case .primary, .caughtUp:
            lag = .zero
            caughtUpAt = now
        case .lag(let told): lag = max(.zero, told)
        case .behind(let age):
            // What has come since it was seen without arrears is not older than that.
            let most = caughtUpAt.map { $0.duration(to: now) }
            lag = [age, most].compactMap(\.self).min().map { max(.zero, $0) } ?? lag
        }
    }

    /// The server cannot be reached: what it has when it is back nobody knows.
    mutating func lose() {
        caughtUpAt = nil
        isLost = lag != nil
    }

    /// Why it gets no clients of a route with this limit; nil if it does.
    func objection(limit: Duration) -> HoldReason? {
        if isLost { return HoldReason("its lag is not known since it was lost", isLasting: false) }
        guard let lag, lag > limit else { return nil }
        return HoldReason("lags \(lag.inTenths), more than \(limit.inTenths)")
    }
}

/// How far the servers of all storages lag that have a watchdog.
final class ReplicaLags: Sendable {
    private let lags = Mutex<[String: [BackendID: ReplicaLag]]>([:])

    /// Changes what is known of a server.
    func change(_ backend: BackendID, of storage: String, _ body: (inout ReplicaLag) -> Void) {
        lags.withLock { body(&$0[storage, default: [:]][backend, default: ReplicaLag()]) }
    }

    /// The server is not watched any more.
    func forget(_ backend: BackendID, of storage: String) {
        lags.withLock { $0[storage]?[backend] = nil }
    }

    /// How far each server of a storage lags of which that is known.
    func known(of storage: String) -> [BackendID: Duration] {
        lags.withLock { $0[storage]?.compactMapValues { $0.isLost ? nil : $0.lag } } ?? [:]
    }

    /// Tells the pool of a route which servers get no clients of it.
    func apply(to route: Route) {
        let settings = route.settings
        let objections = settings.catchupTimeout.flatMap { limit in
            lags.withLock { $0[settings.storage]?.compactMapValues { $0.objection(limit: limit) } }
        }
        route.pool.holdBack(objections ?? [:])
    }
}

extension Duration {
    /// In seconds with one decimal, for people.
    fileprivate var inTenths: String {
        let tenths = Int(self / .milliseconds(100))
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
