// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Everything a configuration says, checked and with defaults filled in. Printed, it is a configuration again,
/// with its secrets replaced by `***`.
package struct Settings: Equatable, Sendable {
    // Service
    /// `workers`: threads that serve clients.
    package var workers = WorkerCount.count(1)
    /// `pid_file`: where the process id is written; `nil` for nowhere.
    package var pidFile: String?
    /// `daemonize`: goes into the background.
    package var daemonize = false
    /// `process_user`: the user that the process becomes; `nil` for the one that starts it.
    package var processUser: String?
    /// `unix_socket_dir`: where `.s.PGSQL.<port>` is made for listeners without `host`.
    package var unixSocketDirectory: String?
    /// `unix_socket_mode`: permission bits of those sockets; given whenever the directory is.
    package var unixSocketMode: UInt16?

    /// `upgrade_socket`: where another process asks to take over; `nil` for nowhere.
    package var upgradeSocket: String?
    /// `upgrade_timeout`: how long clients may stay with the process that was taken over from; `nil` for ever.
    package var upgradeTimeout: Duration?

    // Logging
    /// `log_file`: appended to, opened again on SIGUSR1.
    package var logFile: String?
    /// `log_format`.
    package var logFormat = LogFormat.standard
    /// `log_to_stdout`.
    package var logToStdout = true
    /// `log_syslog`.
    package var logSyslog = false
    /// `log_syslog_ident`.
    package var logSyslogIdent = "carom"
    /// `log_syslog_facility`.
    package var logSyslogFacility = SyslogFacility.daemon
    /// `log_debug`.
    package var logDebug = false
    /// `log_config`: print the effective configuration at start and reload.
    package var logConfig = false
    /// `log_session`: clients and servers coming and going.
    package var logSession = true
    /// `log_query`: what clients send.
    package var logQuery = false
    /// `log_stats`.
    package var logStats = true
    /// `stats_interval`, from seconds.
    package var statsInterval = Duration.seconds(3)
    /// `stats_listen`: where statistics are served over HTTP; `nil` for nowhere.
    package var statsListen: StatsAddress?

    // Sockets
    /// `readahead`: bytes of a worker's read buffer.
    package var readahead = 65536
    /// `nodelay`: TCP_NODELAY.
    package var noDelay = true
    /// `keepalive`: idle time before the first probe, from seconds; `nil` for no keep-alive.
    package var keepalive: Duration? = .seconds(15)
    /// `keepalive_keep_interval`: between probes, from seconds.
    package var keepaliveInterval = Duration.seconds(5)
    /// `keepalive_probes`: unanswered probes until the peer is dead.
    package var keepaliveProbes = 3

    // Access
    /// `hba_file`: who may come from where; `nil` for no such rules.
    package var hbaFile: String?
    /// `ident_file`: who may be which user, for its lines with `map`.
    package var identFile: String?
    /// `hba_role_query`: which roles a user is a member of; `nil` for PostgreSQL's own tables.
    package var hbaRoleQuery: String?
    /// `hba_role_query_db` and `hba_role_query_user`: by which route's servers and names that is asked; `nil` for nobody.
    package var hbaRoleQueryDatabase: String?
    package var hbaRoleQueryUser: String?
    /// `auth_delay`, from milliseconds: before a failed login is told; `nil` for at once.
    package var authDelay: Duration?
    /// `auth_failure_limit`: failed logins of one address within the period; `nil` for any number.
    package var authFailureLimit: Int?
    /// `auth_failure_period`, from seconds.
    package var authFailurePeriod = Duration.seconds(60)

    // Console
    /// `admin_users`: who may do everything at the console.
    package var adminUsers: [String] = []
    /// `stats_users`: who may look at its tables.
    package var statsUsers: [String] = []

    // Clients
    /// `ignore_startup_parameters`: names, in lower case, of startup parameters that are dropped.
    package var ignoreStartupParameters: [String] = []

    // Limits and timeouts
    /// `client_max`: clients of all routes together; `nil` for no limit.
    package var clientMax: Int?
    /// `client_max_routing`: clients that have not logged in; `nil` for as many as descriptors suggest.
    package var clientMaxRouting: Int?
    /// `reserve_pool_size`: servers of each route beyond its pool's size.
    package var reservePoolSize = 0
    /// `reserve_pool_timeout`, from seconds: how long a client waits before they are used; `nil` never.
    package var reservePoolTimeout: Duration? = .seconds(5)
    /// `max_db_connections`: servers of each database over all routes; `nil` for no limit.
    package var maxDatabaseServers: Int?
    /// `max_user_connections`: servers of each user over all routes; `nil` for no limit.
    package var maxUserServers: Int?
    /// `max_db_client_connections`: clients of each database over all routes; `nil` for no limit.
    package var maxDatabaseClients: Int?
    /// `max_user_client_connections`: clients of each user over all routes; `nil` for no limit.
    package var maxUserClients: Int?
    /// `memory_limit`: bytes that may wait in buffers; `nil` for no limit.
    package var memoryLimit: Int?
    /// `prepared_statements_memory`: bytes that the prepared statements of clients may take; `nil` for no limit.
    package var preparedStatementsMemory: Int? = 256 << 20
    /// `availability_zone`: where the pooler is; servers there are used before others.
    package var availabilityZone: String?
    /// `server_login_retry`, from milliseconds: first pause before a server that could not be connected to is tried again.
    package var serverLoginRetry = Duration.milliseconds(20)
    /// `backend_connect_timeout_ms`: for TCP, TLS and login together.
    package var backendConnectTimeout = Duration.seconds(30)
    /// `cancel_timeout_ms`: for one forwarded cancel; `nil` for no limit.
    package var cancelTimeout: Duration? = .seconds(1)
    /// `peer_id`: what other poolers know this one by; 0 is nothing.
    package var peerID = 0
    /// `suspend_timeout`: who has not taken everything by then is cut off (`SUSPEND`); `nil` for no limit.
    package var suspendTimeout: Duration? = .seconds(10)
    /// `client_login_timeout`, from milliseconds: for listeners that say nothing of it.
    package var clientLoginTimeout = Duration.seconds(15)
    /// For routes that say nothing of them.
    package var limits = TimeLimits.standard
    /// The same of what is done with servers.
    package var hooks = ServerHooks()
    /// `graceful_shutdown_timeout_ms`: `nil` waits for the last client for ever.
    package var gracefulShutdownTimeout: Duration? = .seconds(30)

    // Blocks, in the order of the file
    /// At least one.
    package var listeners: [ListenSettings] = []
    package var resolvers: [ResolverSettings] = []
    package var storages: [StorageSettings] = []
    package var sharedPools: [SharedPoolSettings] = []
    /// `peer` blocks.
    package var peers: [PeerSettings] = []
    /// `ldap_endpoint` blocks.
    package var ldapEndpoints: [LDAPEndpointSettings] = []
    /// At least one; no two have the same database and user.
    package var routes: [RouteSettings] = []

    package init() {}

    /// The storage of a route of these settings.
    package func storage(of route: RouteSettings) -> StorageSettings {
        guard let storage = storages.first(where: { $0.name == route.storage }) else {
            preconditionFailure("a route of checked settings names a storage that is not there")
        }
        return storage
    }

    /// Which servers will do for a route's clients.
    package func target(of route: RouteSettings) -> TargetSessionAttributes {
        route.targetSessionAttributes ?? storage(of: route).targetSessionAttributes ?? .any
    }

    /// Where a listener of these settings listens.
    package func address(of listener: ListenSettings) -> ListenAddress {
        switch (listener.host, unixSocketDirectory, unixSocketMode) {
        case ("*", _, _): .everyAddress(port: listener.port)
        case (let host?, _, _): .host(host, port: listener.port)
        case (nil, let directory?, let mode?):
            .unixSocket(path: "\(directory)/.s.PGSQL.\(listener.port)", mode: mode)
        case (nil, _, _):
            preconditionFailure("a listener of checked settings has neither a host nor a socket directory")
        }
    }
}

/// `stats_listen`: a literal address and a port.
package struct StatsAddress: Hashable, Sendable, CustomStringConvertible {
    /// IPv4 or IPv6, without brackets.
    package var host: String
    package var port: Int

    /// - Parameter host: without one, the service is for this machine alone: there is no authentication.
    package init(host: String = "127.0.0.1", port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

/// `workers`: a number, or as many as the machine suggests.
package enum WorkerCount: Hashable, Sendable {
    case count(Int)
    /// `"auto"`: half of the processors, rounded up.
    case automatic

    /// The number of threads on a machine with this many processors.
    package func resolved(processors: Int) -> Int {
        switch self {
        case .count(let count): count
        case .automatic: max(1, (1 + processors) / 2)
        }
    }
}
