// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension Policy {
    /// Checks every knob, and those that depend on each other.
    ///
    /// - Throws: ``PolicyError`` for the first that does not hold.
    public func validate() throws(PolicyError) {
        try atLeast(1, maxSlots, "maxSlots")
        try atLeast(0, reserveSlots, "reserveSlots")
        try positive(reserveAfter, "reserveAfter")
        try atLeast(0, spares, "spares")
        try atLeast(0, minSlots, "minSlots")
        if minSlots > maxSlots {
            throw PolicyError(
                knob: "minSlots", value: "\(minSlots)", allowed: "maxSlots (\(maxSlots)) or less")
        }
        try atLeast(1, perBackendMax, "perBackendMax")
        try atLeast(0, maxWaiters, "maxWaiters")
        try atLeast(0, acquireRetries, "acquireRetries")
        try atLeast(1, connectConcurrency, "connectConcurrency")
        try atLeast(1, totalConnectConcurrency, "totalConnectConcurrency")
        try atLeast(1, churnBurst, "churnBurst")
        if case .afterIdle(let time) = shrink { try positive(time, "shrink.afterIdle") }
        try notNegative(claimTimeout, "claimTimeout")
        try notNegative(validationBypass, "validationBypass")
        try positive(codelTarget, "codelTarget")
        try positive(codelInterval, "codelInterval")
        try positive(connectTimeout, "connectTimeout")
        try positive(hedgeDelay, "hedgeDelay")
        try positive(minBackoff, "minBackoff")
        if maxBackoff < minBackoff {
            throw PolicyError(
                knob: "maxBackoff", value: "\(maxBackoff)", allowed: "minBackoff (\(minBackoff)) or more")
        }
        try share(backoffSpread, "backoffSpread", upTo: 1)
        try notNegative(stableAfter, "stableAfter")
        try notNegative(failedAfter, "failedAfter")
        try positive(healthInterval, "healthInterval")
        try share(healthSpread, "healthSpread", upTo: 0.5)
        try positive(healthTimeout, "healthTimeout")
        try positive(recycleTimeout, "recycleTimeout")
        try positive(closeTimeout, "closeTimeout")
        try positive(maxLifetime, "maxLifetime")
        try share(lifetimeSpread, "lifetimeSpread", upTo: 0.5)
        guard churnRate > 0, churnRate.isFinite else {
            throw PolicyError(knob: "churnRate", value: "\(churnRate)", allowed: "a finite number above 0")
        }
        try positive(watchInterval, "watchInterval")
        try positive(slowStart, "slowStart")
        if zone == "" { throw PolicyError(knob: "zone", value: "\"\"", allowed: "a name, or nil") }
        try positive(rebalanceInterval, "rebalanceInterval")
        try positive(decoherenceInterval, "decoherenceInterval")
        try notNegative(stopGrace, "stopGrace")
        try positive(leakThreshold, "leakThreshold")
        try positive(leaseLimit, "leaseLimit")
    }

    private func atLeast(_ minimum: Int, _ value: Int, _ knob: String) throws(PolicyError) {
        if value < minimum { throw PolicyError(knob: knob, value: "\(value)", allowed: "\(minimum) or more") }
    }

    private func positive(_ value: Duration?, _ knob: String) throws(PolicyError) {
        if let value, value <= .zero {
            throw PolicyError(knob: knob, value: "\(value)", allowed: "more than 0")
        }
    }

    private func notNegative(_ value: Duration?, _ knob: String) throws(PolicyError) {
        if let value, value < .zero { throw PolicyError(knob: knob, value: "\(value)", allowed: "0 or more") }
    }

    private func share(_ value: Double, _ knob: String, upTo limit: Double) throws(PolicyError) {
        guard value >= 0, value <= limit else {
            throw PolicyError(knob: knob, value: "\(value)", allowed: "0 to \(limit)")
        }
    }
}
