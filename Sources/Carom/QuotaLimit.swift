// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What several pools have in common that may have only so many connections, such as a database or a user.
package struct QuotaGroup: Hashable, Sendable, CustomStringConvertible {
    /// `database`, for people.
    package let kind: String
    package let name: String

    package init(_ kind: String, _ name: String) {
        self.kind = kind
        self.name = name
    }

    package var description: String { "\(kind) \"\(name)\"" }
}

/// A limit that a pool goes by: it opens no connection as long as the pools of the group have so many together.
package struct QuotaLimit: Hashable, Sendable {
    package let group: QuotaGroup
    package let limit: Int

    package init(_ group: QuotaGroup, _ limit: Int) {
        self.group = group
        self.limit = limit
    }
}

/// What a group has come to.
package struct QuotaUse: Hashable, Sendable {
    package var group: QuotaGroup
    /// The highest that any of its pools goes by.
    package var limit: Int
    /// Connections of its pools, those that are being opened or closed included.
    package var held: Int
    package var pools: Int
    /// Pools with claims that wait because the group has no place left.
    package var waiting: Int
    /// How long the oldest of these claims has waited.
    package var oldestWait: Duration

    package init(
        _ group: QuotaGroup, limit: Int, held: Int, pools: Int, waiting: Int = 0, oldestWait: Duration = .zero
    ) {
        self.group = group
        self.limit = limit
        self.held = held
        self.pools = pools
        self.waiting = waiting
        self.oldestWait = oldestWait
    }
}
