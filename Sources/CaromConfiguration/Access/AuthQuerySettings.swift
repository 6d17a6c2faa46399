// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What an `auth_query` needs.
package struct AuthQuerySettings: Equatable, Sendable {
    package let text: String
    package let database: String
    package let user: String

    /// Of a user that may log in and whose secret has not run out (CVE-2025-2291). Every name is qualified.
    package static let standardText =
        "SELECT rolname, CASE WHEN rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1 AND rolcanlogin"
}

extension RouteSettings {
    /// Nil where clients' secrets are not asked of a server.
    package var authQuerySettings: AuthQuerySettings? {
        guard let authQueryUser, let authQueryDatabase else { return nil }
        return AuthQuerySettings(
            text: authQuery ?? AuthQuerySettings.standardText, database: authQueryDatabase,
            user: authQueryUser)
    }
}

extension RouteTable<RouteSettings> {
    /// The route that says how the server is found and logged in to which is asked.
    package func route(of query: AuthQuerySettings) -> RouteSettings? {
        match(database: query.database, user: query.user)
    }
}
