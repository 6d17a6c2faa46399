// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How a pool ended.
public struct StopReport: Sendable, Hashable {
    /// A lease that outlasted the grace.
    public struct Lease: Sendable, Hashable {
        /// The connection.
        public let slot: SlotID
        /// Its backend.
        public let backend: BackendID
        /// How long it had been held.
        public let held: Duration
    }

    /// Leases that were taken away: their connections were closed under their holders.
    public let revokedLeases: [Lease]
    /// Claims that waited and were told that the pool stops.
    public let failedClaims: Int
    /// Calls of the connector that ignored their cancellation and still ran at the end.
    public let unfinishedOperations: Int
}

extension StopReport: CustomStringConvertible {
    /// For example `1 lease revoked, 3 waiting claims failed`.
    public var description: String {
        let leases = revokedLeases.count == 1 ? "1 lease revoked" : "\(revokedLeases.count) leases revoked"
        let hanging = unfinishedOperations == 0 ? "" : ", \(unfinishedOperations) connector calls still hang"
        return "\(leases), \(failedClaims) waiting claims failed\(hanging)"
    }
}
