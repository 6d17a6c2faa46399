// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Every knob of a pool, with unit, default and range. A value out of range is a ``PolicyError`` when the pool is
/// made or the policy changed; nothing is corrected silently.
public struct Policy: Sendable, Hashable {
    /// How a pool gives up connections that demand no longer justifies.
    public enum Shrink: Sendable, Hashable {
        /// Follow demand slowly: a dip of less than two seconds closes nothing, after that the pool follows a low
        /// pass filter (five samples a second, time constant five seconds).
        case lowPass
        /// Close a connection that was idle for this long and is not needed as a spare. More than zero.
        case afterIdle(Duration)
        /// Keep what was once opened.
        case never
    }

    // MARK: Size

    /// Connections in all, over all backends and in every state, those being opened or closed included.
    /// Default 16, at least 1. May be huge: memory follows use, not this number.
    public var maxSlots: Int = 16
    /// Idle connections to keep beyond those lent and those waited for. Default 8, at least 0.
    public var spares: Int = 8
    /// Connections beyond ``maxSlots``, for claims that have waited for ``reserveAfter``. Default 0, at least 0.
    package var reserveSlots: Int = 0
    /// How long a claim waits before the reserve is opened. Default 5 s, more than 0.
    package var reserveAfter: Duration = .seconds(5)
    /// Connections to keep in all, lent ones included. Default 0, at least 0 and at most ``maxSlots``.
    public var minSlots: Int = 0
    /// Connections to one backend. Default 16, at least 1.
    public var perBackendMax: Int = 16
    /// How the pool shrinks. Default ``Shrink/lowPass``.
    public var shrink: Shrink = .lowPass
    /// Lend the connection that is idle longest instead of the one used last, so that all are used alike; none is parked. Default false.
    package var rotates = false

    // MARK: Claims

    /// The longest wait of a claim, over everything: queue, connect, validation, acquire hook.
    /// Default 30 s, nil waits for ever, 0 never waits.
    public var claimTimeout: Duration? = .seconds(30)
    /// Claims that may wait at the same time. Default 10 000, at least 0.
    public var maxWaiters: Int = 10_000
    /// How often a claim whose connection failed validation or the acquire hook tries another. Default 3, at least 0.
    public var acquireRetries: Int = 3
    /// An idle connection used or checked more recently than this is lent without validation.
    /// Default 500 ms, nil never validates on claim.
    public var validationBypass: Duration? = .milliseconds(500)
    /// Fail a claim at once while the resolver knows no backend. Default false.
    public var failFastWhenEmpty: Bool = false
    /// Controlled delay: under standing overload, shed the claims that waited longer than this. Default nil (off).
    public var codelTarget: Duration?
    /// How long the queue must stand above ``codelTarget`` before claims are shed. Default 100 ms, more than 0.
    public var codelInterval: Duration = .milliseconds(100)

    // MARK: Connecting

    /// The longest connect. Default 10 s, more than 0.
    public var connectTimeout: Duration = .seconds(10)
    /// A connect that takes longer than this, and than three times what is usual for its backend, no longer holds anybody
    /// up: another backend is tried beside it, or in its place if the pool is full. Default 300 ms, nil never.
    public var hedgeDelay: Duration? = .milliseconds(300)
    /// Connects in flight to one backend. Default 4, at least 1.
    public var connectConcurrency: Int = 4
    /// Connects in flight in all, without those that take longer than ``hedgeDelay``. Default 16, at least 1.
    public var totalConnectConcurrency: Int = 16
    /// The wait after a first failure; it doubles with each further one. Default 20 ms, more than 0. After a refused login
    /// (``FailureKind/authentication``) it is at least a second, or ``maxBackoff`` if that is less, and no longer while a
    /// claim waits.
    public var minBackoff: Duration = .milliseconds(20)
    /// The longest wait between attempts. Default 30 s, not below ``minBackoff``.
    public var maxBackoff: Duration = .seconds(30)
    /// How much earlier than nominal a wait may end, as a share of it. Default 0.5, from 0 to 1.
    public var backoffSpread: Double = 0.5
    /// A connection that lasted this long, or passed a check, ends a series of failures. Default 5 s, at least 0.
    public var stableAfter: Duration = .seconds(5)
    /// A backend that fails for this long, and three attempts, is dead: it keeps one probe. Default 5 s, at least 0.
    /// One that answers and does not let us in (``FailureKind/authentication``) is dead at once, and is asked again only for
    /// a claim, ``spares`` or ``minSlots``.
    public var failedAfter: Duration = .seconds(5)

    // MARK: Health and age

    /// How often an idle connection is checked, plus or minus ``healthSpread``. Default 30 s, nil never.
    public var healthInterval: Duration? = .seconds(30)
    /// The spread of ``healthInterval`` to both sides, as a share. Default 0.1, from 0 to 0.5.
    public var healthSpread: Double = 0.1
    /// The longest check or acquire hook. Default 3 s, more than 0.
    public var healthTimeout: Duration = .seconds(3)
    /// The longest recycle. Default 3 s, nil unlimited.
    public var recycleTimeout: Duration? = .seconds(3)
    /// The longest close; one that takes longer is cancelled, and its slot counts until the connector is done with it.
    /// Default 3 s, more than 0.
    public var closeTimeout: Duration = .seconds(3)
    /// The greatest age of a connection. Default 30 min, nil unlimited.
    public var maxLifetime: Duration? = .seconds(1800)
    /// How much earlier than ``maxLifetime`` a connection may end, as a share. Default 0.1, from 0 to 0.5.
    public var lifetimeSpread: Double = 0.1
    /// Planned closes (age, rebalancing, shrinking) a second and backend. Default 4, more than 0.
    public var churnRate: Double = 4
    /// Planned closes that may come together. Default 4, at least 1.
    public var churnBurst: Int = 4

    // MARK: Kinds of backends

    /// Which backends the pool opens connections to by itself. Claims that ask for others have them opened all the same.
    public enum Scope: Sendable, Hashable {
        /// All that the resolver names.
        case all
        /// Those that match these attributes; none as long as none does.
        case only([String: String])
        /// Those that match these attributes; all as long as none does.
        case preferring([String: String])
    }

    /// Which backends the pool opens connections to by itself. Default all.
    public var scope: Scope = .all
    /// What one backend at a time should be, such as `["role": "primary"]`. If several match, the pool keeps to one and
    /// overrules the others: that which it saw become one last, else the first that it found. Default nil: as many as there are.
    public var exclusive: [String: String]?
    /// What becomes of claims that only backends could serve that are held back.
    package enum HeldBackRule: Sendable, Hashable {
        /// They fail at once.
        case fail
        /// Any other connection will do.
        case others
    }

    /// What becomes of claims that only backends could serve that are held back (``Pool/holdBack(_:)``). Default fail.
    package var whenHeldBack = HeldBackRule.fail
    /// How often one idle connection of each backend is checked, if there are several, give or take a fifth, so that a change of its attributes is
    /// noticed, or that it has stopped answering. Default nil: ``healthInterval`` has to do.
    public var watchInterval: Duration?

    // MARK: Balance and operation

    /// Of several backends that would do equally, which one a claim gets.
    public enum Balance: Sendable, Hashable {
        /// That with the fewest connections lent for its weight.
        case leastClaimed
        /// The better one, in that sense, of two at random: many pools that see the same backends do not all choose the same one.
        case randomOfTwo
    }

    /// Which of several backends a claim gets. Default least claimed.
    public var balance = Balance.leastClaimed
    /// Backends whose attribute `zone` is this are used before others of their priority, those only while all of these are down. Default nil:
    /// zones do not count.
    public var zone: String?
    /// How long a backend that is back, or new beside others, takes to come to its full share: from a tenth of it, in ten steps. Default
    /// nil: it has it at once.
    public var slowStart: Duration?
    /// How often the distribution is planned even if nothing happened. Default 60 s, more than 0.
    public var rebalanceInterval: Duration = .seconds(60)
    /// How often, if there are more backends than connections wanted, one is exchanged. Default 60 s, nil never.
    public var decoherenceInterval: Duration? = .seconds(60)
    /// How long ``Pool/stop(grace:)`` waits for claims. Default 5 s, at least 0.
    public var stopGrace: Duration = .seconds(5)
    /// Report a claim held longer than this. Default nil (off).
    public var leakThreshold: Duration?
    /// Take a connection away (close it) when it is held longer than this. Default nil (never).
    public var leaseLimit: Duration?

    /// The defaults.
    public init() {}
}

/// A value of a ``Policy`` that cannot be, or two that contradict each other.
public struct PolicyError: Error, Hashable, CustomStringConvertible {
    /// The knob's name in ``Policy``.
    public let knob: String
    /// The value it had.
    public let value: String
    /// The values it may have.
    public let allowed: String

    /// One sentence with knob, value and range.
    public var description: String { "policy: \(knob) is \(value), allowed is \(allowed)" }
}
