// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

extension Policy {
    /// A route's pool in the library's terms.
    init(_ route: RouteSettings, _ settings: Settings) {
        self.init()
        let size = PoolSize(route, settings)
        maxSlots = size.size ?? Self.noLimit
        reserveSlots = size.reserve
        if let time = settings.reservePoolTimeout { reserveAfter = time }
        perBackendMax = maxSlots + reserveSlots
        spares = 0
        minSlots = min(route.minPoolSize, maxSlots)
        let limits = route.limits.filled(from: settings.limits)
        let hooks = route.hooks.filled(from: settings.hooks)
        claimTimeout = limits.wait?.duration
        connectTimeout = settings.backendConnectTimeout
        // A host that is silent costs a client this and another login.
        hedgeDelay = .milliseconds(100)
        maxLifetime = limits.serverLifetime?.duration
        shrink = (limits.serverIdle?.duration).map { .afterIdle($0) } ?? .never
        // The connector ends a reset itself, and knows better whose fault it was that it took so long.
        recycleTimeout = route.poolResetTimeout.map { $0 + Self.resetMargin }
        maxWaiters = Self.noLimit
        // epoll tells when an idle server hangs up, so little is gained by asking before a use.
        validationBypass = hooks.checkDelay
        rotates = hooks.roundRobin == true
        codelTarget = hooks.codelTarget
        if let interval = hooks.codelInterval { codelInterval = interval }
        let storage = settings.storage(of: route)
        connectConcurrency = storage.maxRouting
        totalConnectConcurrency = max(totalConnectConcurrency, connectConcurrency)
        if storage.type == .remote {
            // Where clients choose, connections to all kinds of servers are at hand.
            let target = settings.target(of: route)
            scope = route.clientTargetSessionAttributes ? .all : target.scope
            if route.clientTargetSessionAttributes || target != .any {
                exclusive = TargetSessionAttributes.exclusive
            }
        }
        whenHeldBack = route.catchupExceeded == .primary ? .others : .fail
        watchInterval = storage.statusPollInterval
        healthTimeout = storage.checkTimeout
        failedAfter = storage.deadAfter
        slowStart = storage.slowStart
        decoherenceInterval = storage.exchangeInterval
        balance = storage.balancing == .randomOfTwo ? .randomOfTwo : .leastClaimed
        zone = settings.availabilityZone
        minBackoff = settings.serverLoginRetry
        maxBackoff = max(minBackoff, Self.longestPause)
    }

    /// That of a client for replication: one server, for this client. What goes wrong with its startup packet is nobody else's trouble,
    /// and told at once; no query of ours is understood there.
    var forReplication: Policy {
        var policy = self
        (policy.maxSlots, policy.perBackendMax, policy.minSlots, policy.reserveSlots) = (1, 1, 0, 0)
        (policy.healthInterval, policy.validationBypass, policy.maxLifetime) = (nil, nil, nil)
        policy.failedAfter = .zero
        policy.shrink = .afterIdle(.seconds(1))
        return policy
    }

    private static let resetMargin = Duration.seconds(1)
    /// More than a process can have descriptors, and small enough to be added up.
    private static let noLimit = 1_000_000
    /// A server that is back is used again within this time. Clients wait for it, or are turned away meanwhile, so it is far below the library's 30 s.
    private static let longestPause = Duration.seconds(1)
}
