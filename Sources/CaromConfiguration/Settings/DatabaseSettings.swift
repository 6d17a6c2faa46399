// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a `database` block says of all its routes. Of limits `nil` leaves what the top says, and 0 is none.
package struct DatabaseSettings: Equatable, Sendable {
    /// `reserve_pool_size`: servers of each route beyond its pool's size.
    package var reservePoolSize: Int?
    /// `max_db_connections`: servers of the database over all routes.
    package var maxServers: Int?
    /// `max_db_client_connections`: clients of the database over all routes.
    package var maxClients: Int?

    package init() {}
}
