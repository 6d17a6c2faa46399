// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `user` block in a `database` block: who may come, how they prove it, and which pool serves them.
package struct RouteSettings: Equatable, Sendable {
    /// Which clients the route is for.
    package var pattern: RoutePattern
    /// What the `database` block says of all its routes.
    package var database = DatabaseSettings()

    // Clients
    /// `authentication`.
    package var authentication = AuthenticationMethod.block
    /// `password`: plain, an `md5…` hash or a SCRAM verifier.
    package var password: Secret?
    /// `auth_file`: users and their secrets, in place of `password`.
    package var authFile: String?
    /// `auth_pam_service`: the service of PAM that checks passwords, in place of `password`.
    package var pamService: String?
    /// `ldap_endpoint_name`: the block that says which servers of LDAP check passwords, in place of `password`.
    package var ldapEndpoint: String?
    /// What that block says.
    package internal(set) var ldapService: LDAPService?
    /// `auth_query`: asks a server for a user's secret; `nil` with a user to ask as means ``UserQuerySettings/secretText``.
    package var authQuery: String?
    /// `auth_query_db` or `auth_dbname`: where it is asked.
    package var authQueryDatabase: String?
    /// `auth_query_user`: as whom.
    package var authQueryUser: String?
    /// `auth_common_name`: those in a client's certificate that may come; empty for the name of the user alone.
    package var commonNames: [String] = []
    /// `client_max`; `nil` for no limit.
    package var clientMax: Int?
    /// `max_user_client_connections`: clients of the user over all routes; `nil` for what the top says, 0 for no limit.
    package var maxUserClients: Int?
    /// `client_fwd_error`: a server's own login error is passed on to the client.
    package var clientForwardError = false
    /// `client_show_id`: our errors carry the client's id.
    package var clientShowID = true
    /// `options`: session parameters that win over the client's, in the order of the file.
    package var options: [SessionParameter] = []
    /// `log_debug` of this route.
    package var logDebug = false
    /// `log_query` of this route.
    package var logQuery = false

    // Servers
    /// `storage`: its name; see ``Settings/storage(of:)``.
    package var storage = ""
    /// `storage_db`; `nil` for what the client asked for.
    package var storageDatabase: String?
    /// `storage_user`; `nil` for what the client asked for.
    package var storageUser: String?
    /// `storage_password`; `nil` for `password`.
    package var storagePassword: Secret?
    /// `target_session_attrs`; `nil` for what the storage says.
    package var targetSessionAttributes: TargetSessionAttributes?
    /// `client_target_session_attrs`: clients choose for themselves, in their startup message.
    package var clientTargetSessionAttributes = false
    /// `read_retry`: how often a request that a standby has not begun to answer when it was lost goes to another; 0 for never.
    package var readRetry = 0
    /// `catchup_timeout`: a server that lags further gets no new clients; `nil` for any lag.
    package var catchupTimeout: Duration?
    /// `catchup_exceeded`: what becomes of clients when all servers lag further.
    package var catchupExceeded = CatchupRule.error
    /// `backend_startup_options`: parameters of the startup message to the server, in the order of the file.
    package var backendStartupOptions: [SessionParameter] = []

    // Pool
    /// `pool`.
    package var pool = PoolingMode.session
    /// `pool_size`; `nil` for no limit.
    package var poolSize: Int?
    /// `shared_pool`: its name, in place of a size of its own.
    package var sharedPool: String?
    /// `max_user_connections`: servers of the user over all routes; `nil` for what the top says, 0 for no limit.
    package var maxUserServers: Int?
    /// `reserve_pool_size`: servers beyond the pool's size; `nil` for what the `database` block or the top says.
    package var reservePoolSize: Int?
    /// `min_pool_size`.
    package var minPoolSize = 0
    /// After how long something ends; what is not said here is as the top of the file says it.
    package var limits = TimeLimits()
    /// What is done with servers beside serving clients; what is not said here is as the top of the file says it.
    package var hooks = ServerHooks()
    /// `pool_cancel`: cancel the query of a client that vanished; otherwise its server is closed.
    package var poolCancel = true
    /// `pool_rollback`: roll back the transaction of a client that vanished; otherwise its server is closed.
    package var poolRollback = true
    /// `pool_discard`: `DISCARD ALL` when a server changes hands between sessions. `nil`: in session pooling always, in
    /// transaction pooling only after a client has left something in the session.
    package var poolDiscard: Bool?
    /// `pool_pin`: in transaction pooling a client keeps its server as long as something of its own only lives there.
    package var poolPin = true
    /// `pool_listen`: in transaction pooling a client that listens keeps no server for that: others listen for it.
    package var poolListen = false
    /// `max_prepared_statements`: in transaction pooling, how many of its clients' statements a server holds at a time.
    package var maxPreparedStatements = 200
    /// `pool_reset_timeout_ms`: for cancel, rollback and discard together; `nil` for no limit.
    package var poolResetTimeout: Duration? = .seconds(1)

    package init(pattern: RoutePattern) {
        self.pattern = pattern
    }

    /// The same with what the top of the file says where the route says nothing.
    package func inheriting(_ settings: Settings) -> RouteSettings {
        var route = self
        route.limits = limits.filled(from: settings.limits)
        route.hooks = hooks.filled(from: settings.hooks)
        return route
    }

    /// Whether there can be requests that another server may get, which must be a standby as well.
    ///
    /// - Parameter target: what the storage says.
    func mayRetryReads(at target: TargetSessionAttributes?) -> Bool {
        pool != .session
            && (clientTargetSessionAttributes || (targetSessionAttributes ?? target) == .standby)
    }

    /// The database to ask the server for.
    package func serverDatabase(forClientDatabase database: String) -> String { storageDatabase ?? database }
    /// The user to log in to the server as.
    package func serverUser(forClientUser user: String) -> String { storageUser ?? user }
    /// The secret to log in to the server with.
    package var serverPassword: Secret? { storagePassword ?? password }
}

/// How a client proves who it is.
package enum AuthenticationMethod: String, CaseIterable, Hashable, Sendable {
    /// Anyone may come.
    case none
    /// No one may come: 28000.
    case block
    /// The password itself.
    case clearText = "clear_text"
    case md5
    case scramSHA256 = "scram-sha-256"
    /// The client's certificate.
    case certificate = "cert"
    /// What the client's line in the `hba_file` says.
    case hba

    /// Whether the route must know a password.
    package var needsPassword: Bool {
        switch self {
        case .none, .block, .certificate, .hba: false
        case .clearText, .md5, .scramSHA256: true
        }
    }
}

/// How long a client keeps a server.
package enum PoolingMode: String, CaseIterable, Hashable, Sendable {
    /// Until it leaves.
    case session
    /// Until its transaction ends.
    case transaction
    /// Until its request is answered; transactions of several requests are refused.
    case statement
}

/// A name and value of an `options` or `backend_startup_options` block.
package struct SessionParameter: Hashable, Sendable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}
