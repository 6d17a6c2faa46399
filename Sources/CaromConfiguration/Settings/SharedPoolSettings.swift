// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `shared_pool` block: one limit for several routes.
package struct SharedPoolSettings: Equatable, Sendable {
    /// The name routes use.
    package var name: String
    /// `pool_size`.
    package var poolSize = 0

    package init(name: String) {
        self.name = name
    }
}
