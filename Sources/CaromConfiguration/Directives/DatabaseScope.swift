// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `database` block: the first half of its routes' names, and what it says of all of them.
struct DatabaseScope: ConfigurationScope {
    /// `nil` if it could not be read.
    var name: RouteName?
    var settings = DatabaseSettings()

    /// What may stand in a `database` block.
    static let directives = DirectiveTable<DatabaseScope>(
        block: "database", sections: ["user"], foreign: ["group"],
        [
            .limit("reserve_pool_size", overriding: \.settings.reservePoolSize),
            .limit("max_db_connections", overriding: \.settings.maxServers),
            .limit("max_db_client_connections", overriding: \.settings.maxClients),
        ])
}
