// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why a claim was not served, or a pool not run.
public struct PoolError: Error, Sendable {
    /// The kind of failure, for programs. New kinds may come; compare, do not list them all.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        enum Kind: String, Sendable {
            case noBackends, noBackendsOnline, exhausted, timedOut, queueFull, overloaded, acquireFailed
            case cancelled, failed, stopped, revoked, hasRun
        }
        let kind: Kind

        /// The resolver knows no backend.
        public static var noBackends: Code { Code(kind: .noBackends) }
        /// Backends are known, and there was room for a connection, but none that would do could be opened in time; the
        /// causes say why.
        public static var noBackendsOnline: Code { Code(kind: .noBackendsOnline) }
        /// Every connection there may be was in use for the whole wait.
        public static var exhausted: Code { Code(kind: .exhausted) }
        /// The wait ended for another reason, such as a suspended pool.
        public static var timedOut: Code { Code(kind: .timedOut) }
        /// As many claims wait as may wait.
        public static var queueFull: Code { Code(kind: .queueFull) }
        /// Shed by controlled delay: the queue stands too long.
        public static var overloaded: Code { Code(kind: .overloaded) }
        /// Connections were there, but validation or the acquire hook failed on each one tried.
        public static var acquireFailed: Code { Code(kind: .acquireFailed) }
        /// The claimer was cancelled.
        public static var cancelled: Code { Code(kind: .cancelled) }
        /// Every backend is dead; the causes say why.
        public static var failed: Code { Code(kind: .failed) }
        /// The pool is stopping or has stopped.
        public static var stopped: Code { Code(kind: .stopped) }
        /// The connection was taken back before the claimer came for it.
        public static var revoked: Code { Code(kind: .revoked) }
        /// `run()` was called before; a pool runs once.
        public static var hasRun: Code { Code(kind: .hasRun) }

        /// The code's name.
        public var description: String { kind.rawValue }
    }

    /// The last failure of one backend.
    public struct Cause: Sendable {
        /// The backend that failed.
        public let backend: BackendID
        /// The failure in words.
        public let text: String
        /// The failure itself, if it was an error the connector threw.
        public let underlying: (any Error)?
    }

    /// A backend that was considered for a claim with a requirement.
    struct Candidate: Sendable {
        let backend: BackendID
        /// What its connections match, as far as is known.
        let known: [String: String]
        /// It has a connection, or might get one.
        let isReachable: Bool
        /// Why it is held back, if it is.
        let heldBack: String?
    }

    final class Details: Sendable {
        let pool: String
        let waited: Duration
        let inUse: Int
        let limit: Int
        let backends: Int
        let causes: [Cause]
        /// Limits shared with other pools that kept it from another connection.
        let obstacles: [QuotaLimit]
        /// Nobody has called `run()`.
        let isAwaitingRun: Bool
        let requirement: [String: String]
        /// Only if none of them meets the requirement.
        let candidates: [Candidate]

        init(
            pool: String, waited: Duration = .zero, inUse: Int = 0, limit: Int = 0, backends: Int = 0,
            causes: [Cause] = [], obstacles: [QuotaLimit] = [],
            isAwaitingRun: Bool = false, requirement: [String: String] = [:], candidates: [Candidate] = []
        ) {
            self.pool = pool
            self.waited = waited
            self.inUse = inUse
            self.limit = limit
            self.backends = backends
            self.causes = causes
            self.obstacles = obstacles
            self.isAwaitingRun = isAwaitingRun
            self.requirement = requirement
            self.candidates = candidates
        }
    }

    /// The kind of failure.
    public let code: Code
    let details: Details

    /// The pool's name.
    public var pool: String { details.pool }
    /// How long the claim had waited.
    public var waited: Duration { details.waited }
    /// The last failure of each backend that was not well.
    public var causes: [Cause] { details.causes }

    /// What the claim required.
    public var requirement: [String: String] { details.requirement }

    /// One sentence without the causes, for example `exhausted: 6 of 6 in use`.
    public var message: String {
        if details.isAwaitingRun { return "\(code): nobody has called the pool's run()" }
        return switch code.kind {
        case .noBackends: "no backends: the resolver knows none"
        case .noBackendsOnline:
            (details.candidates.isEmpty
                ? "no backends online: none of \(details.backends) could serve the claim" : noneAmong)
                + (details.inUse > 0 ? " (\(details.inUse) of \(details.limit) in use)" : "")
        case .exhausted:
            "exhausted: \(details.inUse) of \(details.limit) in use"
                + details.obstacles.map { ", and all \($0.limit) that \($0.group) may have" }.joined()
        case .timedOut: "timed out"
        case .queueFull: "queue full: no more claims may wait"
        case .overloaded: "overloaded: shed from a standing queue"
        case .acquireFailed: "acquire failed: no connection passed validation or the acquire hook"
        case .cancelled: "cancelled"
        case .failed: "failed: all \(details.backends) backends are dead"
        case .stopped: "stopped"
        case .revoked: "revoked: the connection was taken back"
        case .hasRun: "run() was called a second time; a pool runs once, make another"
        }
    }

    /// For example `no primary among: db1 (standby), db2 (unreachable)`.
    private var noneAmong: String {
        let keys = details.requirement.keys.sorted()
        let sought = keys.map {
            $0 == "role" || $0 == "access" ? details.requirement[$0]! : "\($0)=\(details.requirement[$0]!)"
        }
        let shown = details.candidates.prefix(Self.mostShown).map { candidate in
            if !candidate.isReachable { return "\(candidate.backend) (unreachable)" }
            let known = keys.map { candidate.known[$0] ?? "unknown" }
            let words = known + (candidate.heldBack.map { [$0] } ?? [])
            return "\(candidate.backend) (\(words.joined(separator: ", ")))"
        }
        let more = details.candidates.count - shown.count
        return "no \(sought.joined(separator: ", ")) among: \(shown.joined(separator: ", "))"
            + (more > 0 ? " and \(more) more" : "")
    }

    /// Backends that a message names.
    private static var mostShown: Int { 8 }
}

extension PoolError: CustomStringConvertible {
    /// Pool, message, wait and causes in one line.
    public var description: String {
        var text = "pool \(pool): \(message), waited \(waited)"
        for cause in causes { text += "; \(cause.backend): \(cause.text)" }
        return text
    }
}
