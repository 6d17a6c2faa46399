// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Carom
package import CaromConfiguration

/// What a resolver knows at one moment.
package struct ResolverReport: Sendable {
    /// One of its servers.
    package struct Server: Sendable {
        package let backend: Backend
        /// How it was learnt.
        package let source: String
        /// Until it is asked for again; nil for what is not asked for.
        package let timeLeft: Duration?
        /// How long it has been there.
        package let age: Duration
        /// An operator has taken it out: pools do not hear of it.
        package let isDrained: Bool
    }

    package let name: String
    /// What messages call it.
    package let title: String
    package let type: ResolverType
    /// In the resolver's order; nil as long as nothing is known.
    package let servers: [Server]?
    /// All that it asks, and all that it is made of, has been heard of.
    package let isComplete: Bool
    /// Attempts to learn more that have failed since the last good one.
    package let failures: Int
    /// Why.
    package let trouble: String?

    /// Whether there is nothing to wait for: all is known, or what is missing cannot be had.
    package var isSettled: Bool { isComplete || failures > 0 }
}
