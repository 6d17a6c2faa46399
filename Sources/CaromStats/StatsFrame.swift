// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// One message of the statistics stream, and the document at `/stats`.
///
/// `claims` and `sets` are what every qtop-like stream sends; ``carom`` is what this library adds.
public struct StatsFrame: Codable, Sendable, Hashable {
    /// Connections to one backend, counted by what they are doing.
    public struct SetCounts: Codable, Sendable, Hashable {
        /// Connects in flight.
        public var connecting: Int
        /// Ready to be lent.
        public var unclaimed: Int
        /// Under check, or being made clean after their return.
        public var checking: Int
        /// Lent, or being prepared for a claim.
        public var claimed: Int
        /// Claims served since the backend is known.
        public var totalClaims: UInt64

        /// The counts as given.
        public init(connecting: Int, unclaimed: Int, checking: Int, claimed: Int, totalClaims: UInt64) {
            self.connecting = connecting
            self.unclaimed = unclaimed
            self.checking = checking
            self.claimed = claimed
            self.totalClaims = totalClaims
        }

        enum CodingKeys: String, CodingKey {
            case connecting = "connecting_slots"
            case unclaimed = "unclaimed_slots"
            case checking = "checking_slots"
            case claimed = "claimed_slots"
            case totalClaims = "total_claims"
        }
    }

    /// Everything beyond the counts.
    public struct Details: Codable, Sendable, Hashable {
        /// The pools, in the order in which they were given to the server.
        public var pools: [PoolDetails]

        /// The details of these pools.
        public init(pools: [PoolDetails]) {
            self.pools = pools
        }
    }

    /// Claims served since the previous message of the stream; at `/stats` since the pools were made.
    public var claims: UInt64
    /// Each backend by its name. Where names would clash, the address or the pool's name is part of the key.
    public var sets: [String: SetCounts]
    /// Absent in streams of other libraries.
    public var carom: Details?

    /// A message of these parts.
    public init(claims: UInt64, sets: [String: SetCounts], carom: Details?) {
        self.claims = claims
        self.sets = sets
        self.carom = carom
    }
}
