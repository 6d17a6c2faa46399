// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Says where the backends of a service are; nothing about their health.
///
/// A resolver publishes complete sets. Keeping the last good set through trouble is its duty: what it
/// publishes is believed, and an empty set empties the pool.
public protocol Resolver: Sendable {
    /// Publishes complete sets, the first as soon as it is known, until the task is cancelled.
    ///
    /// Publishing the same set again is free. A resolver that has nothing more to say may return: its last
    /// set stays in force.
    ///
    /// - Parameter publish: may be called from any thread; it never suspends.
    func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async
}
