// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

/// How a route logs in to its servers where no password is configured for that: by what its `auth_file` says at the moment, or by the keys
/// of a client of the same name.
struct RouteCredentials: ServerCredentials {
    private let users: UserListFile?
    private let user: String
    private let verifier: StoredSecret?
    private let passedKeys: PassedKeys

    /// Nil where a password is configured.
    ///
    /// - Parameters:
    ///   - user: of the servers.
    ///   - passedKeys: of clients of this name.
    init?(_ definition: RouteDefinition, user: String, _ passedKeys: PassedKeys) {
        let password = definition.settings.serverPassword
        guard
            password == nil && (definition.sources.users != nil || definition.sources.query != nil)
                || password?.form == .scramVerifier
        else {
            return nil
        }
        users = definition.sources.users
        self.user = user
        verifier = (password?.reveal()).map { StoredSecret($0) }
        self.passedKeys = passedKeys
    }

    var secret: StoredSecret? { verifier ?? users?[user]?.secret ?? passedKeys.secret }
    var keys: SCRAMUserKeys? { passedKeys.value }
}
