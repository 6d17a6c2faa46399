// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres

extension PostgresConfiguration {
    /// How a route logs in to its servers and cleans their connections.
    init(_ route: RouteSettings, user: String, database: String) {
        self.init(user: user, database: database, password: route.serverPassword?.reveal())
        for option in route.backendStartupOptions { parameters[option.name] = option.value }
        recycling.cancels = route.poolCancel
        recycling.rollsBack = route.poolRollback
        checkQuery = route.hooks.checkQuery ?? ""
        connectQuery = route.hooks.connectQuery
        if let query = route.hooks.resetQuery { recycling.resetQuery = ResetQuery(query) }
        recycling.timeout = route.poolResetTimeout ?? Self.unlimited
    }

    /// The library has no word for "as long as it takes"; no reset takes a day.
    private static let unlimited = Duration.seconds(86_400)
}
