// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a query about clients needs: an `auth_query`, or the `hba_role_query`.
package struct UserQuerySettings: Equatable, Sendable {
    package let text: String
    package let database: String
    package let user: String

    // Every name is qualified.

    /// The secret of a user that may log in and whose secret has not run out (CVE-2025-2291).
    package static let secretText =
        "SELECT rolname, CASE WHEN rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now() THEN NULL ELSE rolpassword END FROM pg_catalog.pg_authid WHERE rolname OPERATOR(pg_catalog.=) $1 AND rolcanlogin"
    /// The user itself, all that it is a member of, and all that those are members of.
    package static let rolesText =
        "WITH RECURSIVE held AS (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) $1 UNION SELECT m.roleid FROM pg_catalog.pg_auth_members m JOIN held ON m.member OPERATOR(pg_catalog.=) held.oid) SELECT r.rolname FROM pg_catalog.pg_roles r JOIN held ON r.oid OPERATOR(pg_catalog.=) held.oid"
}

extension RouteSettings {
    /// Nil where clients' secrets are not asked of a server.
    package var authQuerySettings: UserQuerySettings? {
        guard let authQueryUser, let authQueryDatabase else { return nil }
        return UserQuerySettings(
            text: authQuery ?? UserQuerySettings.secretText, database: authQueryDatabase, user: authQueryUser)
    }
}

extension Settings {
    /// Nil where roles of users are not asked of a server.
    package var roleQuerySettings: UserQuerySettings? {
        guard let hbaRoleQueryDatabase, let hbaRoleQueryUser else { return nil }
        return UserQuerySettings(
            text: hbaRoleQuery ?? UserQuerySettings.rolesText, database: hbaRoleQueryDatabase,
            user: hbaRoleQueryUser)
    }
}

extension RouteTable<RouteSettings> {
    /// The route that says how the server is found and logged in to which is asked.
    package func route(of query: UserQuerySettings) -> RouteSettings? {
        match(database: query.database, user: query.user)
    }
}
