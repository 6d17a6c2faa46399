// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// A role's secret in the route's `auth_file`, as it is when a server is logged in to.
struct ListedCredentials: ServerCredentials {
    let users: UserListFile
    let user: String

    var secret: StoredSecret? { users[user]?.secret }
}
