// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Logging

/// Writes a pool's events to a logger. At `warning`: a backend died, the pool failed, nobody runs it. At `notice`: it is
/// back. Else what goes wrong at `debug`, the rest at `trace`.
public struct PoolLogging: PoolObserver {
    private let logger: Logger

    /// Logs to this logger, with the pool's name as metadata.
    public init(logger: Logger, pool: String) {
        var logger = logger
        logger[metadataKey: "pool"] = "\(pool)"
        self.logger = logger
    }

    /// Those events are `trace`: they are wanted if the logger shows that.
    public var observesClaims: Bool { logger.logLevel <= .trace }

    /// Likewise.
    public var observesWaits: Bool { observesClaims }

    /// Writes one line.
    public func observe(_ event: PoolEvent) {
        let level = Self.level(of: event)
        guard logger.logLevel <= level else { return }
        logger.log(level: level, "\(Self.words(for: event))")
    }

    static func level(of event: PoolEvent) -> Logger.Level {
        switch event {
        case .notRunning, .overruled, .heldBack, .backendState(_, _, to: .dead), .state(_, to: .failed):
            .warning
        case .attributes(_, let before, _) where !before.isEmpty: .notice
        case .backendState(_, from: .dead, _), .state(from: .failed, to: .running), .reserveOpened,
            .reserveClosed, .released:
            .notice
        case .claimFailed, .acquireFailed, .forgotten, .overdue, .overdueReturned, .revoked, .connectFailed,
            .connectedTooLate, .checkFailed, .recycleFailed, .backendAdded, .backendRemoved, .backendState,
            .attributes,
            .closeOverdue, .closeAbandoned, .state, .policyChanged:
            .debug
        case .claimQueued, .claimed, .claimCancelled, .acquireStarted, .acquireDone, .returned,
            .connectStarted, .connected, .checkStarted, .checkDone, .recycleStarted, .recycleDone, .closing,
            .closed, .planned:
            .trace
        }
    }

    /// The event in words, where operators read it.
    private static func words(for event: PoolEvent) -> String {
        switch event {
        case .notRunning: "a claim waits, and nobody has called the pool's run()"
        case .backendState(let backend, let before, let now): "backend \(backend) is \(now), was \(before)"
        case .reserveOpened(let count): "a claim has waited too long: \(count) connections from the reserve"
        case .reserveClosed: "the reserve is not needed any more"
        case .attributes(let backend, let before, let now):
            "backend \(backend) is \(Self.words(for: now)), was \(Self.words(for: before))"
        case .overruled(let backend, let other):
            "backend \(backend) says that it is what \(other) is, and only one should be: it gets no more claims"
        case .heldBack(let backend, let reason):
            "backend \(backend) is held back, it gets no more claims: \(reason)"
        case .released(let backend): "backend \(backend) is no longer held back"
        case .state(let before, let now): "the pool is \(now), was \(before)"
        default: "\(event)"
        }
    }

    /// For example `access read-write, role primary`.
    private static func words(for attributes: [String: String]) -> String {
        if attributes.isEmpty { return "unknown" }
        return attributes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }
}
