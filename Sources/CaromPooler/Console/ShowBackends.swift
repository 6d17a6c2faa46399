// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// `SHOW BACKENDS`: each backend of each route, as its pool sees it.
struct ShowBackends: ConsoleCommand {
    static let name = "SHOW BACKENDS"

    static func parse(_ words: [ConsoleWord]) -> ShowBackends? {
        words.spell("show", "backends") ? ShowBackends() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["database", "user", "route", "name", "addr", "state", "role"]),
        (
            .integer,
            [
                "priority", "weight", "wanted", "sv_active", "sv_idle", "sv_tested", "sv_login", "sv_closing",
            ]
        ),
        (.bigInteger, ["claims", "connects", "failed_connects", "authentication_failures"]),
        (.text, ["last_error", "lag", "held_back"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table(
            context.statistics.routes.flatMap { route in
                route.pool.backends.map { found in
                    let tested = found.acquiring + found.checking + found.recycling
                    let numbers = [
                        found.backend.priority, found.backend.weight, found.wanted, found.claimed, found.idle,
                        tested, found.connecting, found.closing,
                    ]
                    let totals = [
                        found.totalClaims, found.totalConnects, found.failedConnects,
                        found.authenticationFailures,
                    ]
                    return [
                        route.database, route.user, route.rule, found.backend.name,
                        found.backend.address.description, found.state.rawValue, found.role,
                    ] + numbers.map { "\($0)" } + totals.map { "\($0)" }
                        + [
                            found.lastError, route.lags[found.backend.id].map { "\($0 / .seconds(1))" },
                            found.heldBack,
                        ]
                }
            })
    }
}

extension PoolStats.BackendStats {
    /// What it says that it is, for people; nil if it has no connection, or does not say.
    fileprivate var role: String? {
        if isOverruled { return "overruled" }
        guard let role = attributes["role"] else { return nil }
        return role == "primary" && attributes["access"] == "read-only" ? "read-only primary" : role
    }
}
