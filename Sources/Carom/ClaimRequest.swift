// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a claimer asks of a connection: a requirement it must meet, and two hints.
public struct ClaimRequest: Sendable {
    /// Attributes that must match, such as `["role": "primary"]`: what the connector learnt when it connected
    /// (``ConnectionInspector/attributes(of:)``), else what the resolver says of the backend.
    public var requirement: [String: String]
    /// The worker the claimer runs on: an idle connection that sits there is preferred.
    public var affinity: Int?
    /// The connection the claimer used last: taken if it is idle and meets the requirement.
    public var preferredSlot: SlotID?

    /// Any connection will do.
    public init() {
        requirement = [:]
        affinity = nil
        preferredSlot = nil
    }

    /// Any connection will do.
    public static var any: ClaimRequest { ClaimRequest() }
}
