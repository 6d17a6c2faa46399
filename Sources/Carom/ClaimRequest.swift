// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a claimer asks of a connection: a requirement it must meet, and two hints.
public struct ClaimRequest: Sendable {
    /// Attributes that must match, such as `["role": "primary"]`: what the connector learnt when it connected
    /// (``ConnectionInspector/attributes(of:)``), else what the resolver says of the backend.
    public var requirement: [String: String]
    /// The requirement is a wish: as long as no backend is likely to meet it, any connection will do.
    public var isPreference = false
    /// The worker the claimer runs on: an idle connection that sits there is preferred.
    public var affinity: Int?
    /// The connection the claimer used last: taken if it is idle and meets the requirement.
    public var preferredSlot: SlotID?

    /// What a backend is in its service, for claims that need one of a kind. Others are written as strings.
    public struct Role: Hashable, Sendable, ExpressibleByStringLiteral {
        /// The value of the attribute `role`.
        public let name: String

        /// A role by its name.
        public init(_ name: String) { self.name = name }

        /// A role by its name.
        public init(stringLiteral name: String) { self.name = name }

        /// It takes writes.
        public static var primary: Role { "primary" }
        /// It follows a primary.
        public static var standby: Role { "standby" }
    }

    /// A connection that meets the requirement, if there is one.
    public init(
        requirement: [String: String] = [:], affinity: Int? = nil, preferredSlot: SlotID? = nil
    ) {
        self.requirement = requirement
        self.affinity = affinity
        self.preferredSlot = preferredSlot
    }

    /// A connection to a backend of this role.
    public init(role: Role, affinity: Int? = nil, preferredSlot: SlotID? = nil) {
        self.init(requirement: ["role": role.name], affinity: affinity, preferredSlot: preferredSlot)
    }

    /// Any connection will do.
    public static var any: ClaimRequest { ClaimRequest() }
}
