// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

extension PostgresConfiguration {
    /// How a route logs in to its servers and cleans their connections.
    init(_ route: RouteSettings, user: String, database: String) {
        self.init(user: user, database: database, password: route.serverPassword?.reveal())
        for option in route.backendStartupOptions { parameters[option.name] = option.value }
        recycling.cancels = route.poolCancel
        recycling.rollsBack = route.poolRollback
        checkQuery = route.hooks.checkQuery ?? ""
        // The pool has the limit (`server_check_timeout`).
        validationTimeout = Self.unlimited
        connectQuery = route.hooks.connectQuery
        if let query = route.hooks.resetQuery { recycling.resetQuery = ResetQuery(query) }
        recycling.timeout = route.poolResetTimeout ?? Self.unlimited
    }

    /// The servers of one client are told what it says, and beside that what the route wants.
    mutating func begin(as startup: StartupMessage, _ route: RouteSettings, _ settings: Settings) {
        replication = startup.replication
        options = startup.options
        connectQuery = nil
        for parameter in startup.parameters
        where !settings.ignoreStartupParameters.contains(parameter.name.lowercased()) {
            parameters[parameter.name] = parameter.value
        }
        for option in route.options { parameters[option.name] = option.value }
    }

    /// The library has no word for "as long as it takes"; no reset takes a day.
    private static let unlimited = Duration.seconds(86_400)
}
