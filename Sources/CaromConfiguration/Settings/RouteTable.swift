// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A name in a `database` or `user` line.
package enum RouteName: Hashable, Sendable, CustomStringConvertible {
    case exact(String)
    /// `default`: all names without a block of their own.
    case anything

    package var description: String {
        switch self {
        case .exact(let name): name
        case .anything: "default"
        }
    }
}

/// Which clients a route is for; printed `database.user`.
package struct RoutePattern: Hashable, Sendable, CustomStringConvertible {
    package var database: RouteName
    package var user: RouteName

    package init(database: RouteName, user: RouteName) {
        self.database = database
        self.user = user
    }

    /// How exactly a client is meant: a database counts 1000, a user 100, `default` nothing.
    package var specificity: Int {
        let database = if case .exact = self.database { 1000 } else { 0 }
        let user = if case .exact = self.user { 100 } else { 0 }
        return database + user
    }

    /// Database and user, where both are named.
    package var names: (database: String, user: String)? {
        guard case .exact(let database) = database, case .exact(let user) = user else { return nil }
        return (database, user)
    }

    package func matches(database: String, user: String) -> Bool {
        let databaseFits = self.database == .anything || self.database == .exact(database)
        return databaseFits && (self.user == .anything || self.user == .exact(user))
    }

    package var description: String { "\(database).\(user)" }
}

/// Finds the most specific route for a client: four look-ups at most, however many routes there are.
package struct RouteTable<Route> {
    private var routes: [RoutePattern: Route] = [:]

    /// The patterns differ from one another: the configuration is checked for it.
    package init(_ routes: some Sequence<(RoutePattern, Route)>) {
        for (pattern, route) in routes {
            guard self.routes.updateValue(route, forKey: pattern) == nil else {
                preconditionFailure("two routes for \(pattern)")
            }
        }
    }

    /// The route of exactly this pattern.
    package subscript(_ pattern: RoutePattern) -> Route? { routes[pattern] }

    /// The route for a client, `nil` when none is meant for it (3D000).
    package func match(database: String, user: String) -> Route? {
        let (database, user) = (RouteName.exact(database), RouteName.exact(user))
        return routes[RoutePattern(database: database, user: user)]
            ?? routes[RoutePattern(database: database, user: .anything)]
            ?? routes[RoutePattern(database: .anything, user: user)]
            ?? routes[RoutePattern(database: .anything, user: .anything)]
    }
}

extension RouteTable: Sendable where Route: Sendable {}
