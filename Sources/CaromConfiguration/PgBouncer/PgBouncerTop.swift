// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What `[pgbouncer]` says of everything: the top of the configuration and its listeners.
struct PgBouncerTop {
    private let main: IniValues

    init(_ main: IniValues) { self.main = main }

    func set(_ block: inout ConfigurationBlock<Settings>) {
        setService(&block.value)
        setLimits(&block.value)
        setTimes(&block.value)
        setServers(&block.value.hooks)
        setSockets(&block.value)
        if main.word("auth_type") == "hba" {
            block.value.hbaFile = main.text("auth_hba_file")
            if block.value.hbaFile != nil { _ = block.note("hba_file", at: main.place(of: "auth_hba_file")) }
            block.value.identFile = main.text("auth_ident_file")
            if block.value.identFile != nil {
                _ = block.note("ident_file", at: main.place(of: "auth_ident_file"))
            }
        }
    }

    private func setService(_ settings: inout Settings) {
        // There is no key for it, and nothing depends on it.
        settings.workers = .automatic
        settings.pidFile = main.text("pidfile")
        settings.processUser = main.text("user")
        settings.logFile = main.text("logfile")
        settings.logSyslog = main.flag("syslog")
        settings.logSyslogIdent = main.text("syslog_ident") ?? settings.logSyslogIdent
        settings.logSyslogFacility =
            SyslogFacility(rawValue: main.word("syslog_facility")) ?? settings.logSyslogFacility
        settings.logSession = main.flag("log_connections") || main.flag("log_disconnections")
        settings.logStats = main.flag("log_stats")
        settings.statsInterval = .seconds(main.number("stats_period") ?? 60)
        settings.logDebug = main.flag("verbose")
        settings.adminUsers = main.names("admin_users")
        settings.statsUsers = main.names("stats_users")
        settings.ignoreStartupParameters = main.names("ignore_startup_parameters").map { $0.lowercased() }
    }

    private func setLimits(_ settings: inout Settings) {
        settings.clientMax = main.limit("max_client_conn")
        settings.reservePoolSize = main.number("reserve_pool_size") ?? 0
        settings.reservePoolTimeout = main.timeOrNever("reserve_pool_timeout").map(Self.wholeSeconds)
        settings.maxDatabaseServers = main.limit("max_db_connections")
        settings.maxUserServers = main.limit("max_user_connections")
        settings.maxDatabaseClients = main.limit("max_db_client_connections")
        settings.maxUserClients = main.limit("max_user_client_connections")
    }

    private func setTimes(_ settings: inout Settings) {
        settings.serverLoginRetry = max(main.time("server_login_retry") ?? .zero, .milliseconds(1))
        settings.backendConnectTimeout = main.timeOrNever("server_connect_timeout") ?? Self.unlimited
        settings.clientLoginTimeout = main.timeOrNever("client_login_timeout") ?? Self.unlimited
        settings.cancelTimeout = main.timeOrNever("cancel_wait_timeout")
        settings.peerID = main.number("peer_id") ?? 0
        settings.suspendTimeout = main.timeOrNever("suspend_timeout").map(Self.wholeSeconds)
        settings.limits.query = main.timeLimit("query_timeout")
        settings.limits.transaction = main.timeLimit("transaction_timeout")
        settings.limits.idleTransaction = main.timeLimit("idle_transaction_timeout")
        settings.limits.clientIdle = main.timeLimit("client_idle_timeout")
        settings.limits.wait = main.timeLimit("query_wait_timeout")
        settings.limits.waitNotice = main.timeLimit("query_wait_notify")
        settings.limits.serverIdle = main.timeLimit("server_idle_timeout")
        settings.limits.serverLifetime = main.lifetime
    }

    private func setServers(_ hooks: inout ServerHooks) {
        // Without a query servers are not asked; with the word for the empty one, they are asked nothing.
        if let query = main.text("server_check_query") {
            hooks.checkDelay = main.time("server_check_delay")
            hooks.checkQuery = query == "<empty>" ? nil : query
        }
        if let query = main.text("server_reset_query"), query.uppercased() != "DISCARD ALL" {
            hooks.resetQuery = query
        }
        hooks.fastClose = main.flag("server_fast_close")
        hooks.roundRobin = main.flag("server_round_robin")
    }

    /// What is 0 is as Linux has it unless told otherwise.
    private func setSockets(_ settings: inout Settings) {
        settings.keepalive =
            main.flag("tcp_keepalive") ? .seconds(main.limit("tcp_keepidle") ?? 7200) : nil
        settings.keepaliveInterval = .seconds(main.limit("tcp_keepintvl") ?? 75)
        settings.keepaliveProbes = min(main.limit("tcp_keepcnt") ?? 9, 127)
    }

    /// Those of `listen_addr`, and the Unix socket.
    func listeners(_ settings: inout Settings, _ findings: inout ConfigurationFindings)
        -> [ConfigurationBlock<ListenSettings>]
    {
        var listeners: [ConfigurationBlock<ListenSettings>] = []
        let tls = PgBouncerTLS(main, side: "client")
        for host in main.names("listen_addr") where !listeners.contains(where: { $0.value.host == host }) {
            var block = listener(at: main.place(of: "listen_addr"))
            block.value.host = host
            block.value.tls = tls.settings
            tls.note(in: &block)
            listeners.append(block)
        }
        if let directory = main.text("unix_socket_dir") {
            if directory.hasPrefix("@") {
                findings.report(
                    main.place(of: "unix_socket_dir"),
                    "unix_socket_dir: there are no sockets in the abstract namespace; expected a directory")
            }
            settings.unixSocketDirectory = directory
            settings.unixSocketMode = UInt16(main.number("unix_socket_mode") ?? 0o777)
            listeners.append(listener(at: main.place(of: "unix_socket_dir")))
        }
        if listeners.isEmpty {
            findings.report(
                main.place(of: "unix_socket_dir"),
                "no client could connect: there is neither listen_addr nor unix_socket_dir")
        }
        return listeners
    }

    private func listener(at position: ConfigurationPosition) -> ConfigurationBlock<ListenSettings> {
        var block = ConfigurationBlock(ListenSettings(), at: position)
        block.value.port = main.number("listen_port") ?? 6432
        block.value.backlog = main.number("listen_backlog") ?? 128
        block.value.reusePort = main.flag("so_reuseport")
        return block
    }

    /// What PgBouncer has no limit for; nothing of this takes a day.
    private static let unlimited = Duration.seconds(86_400)

    /// Rounded up.
    static func wholeSeconds(_ duration: Duration) -> Duration {
        .seconds(duration.components.seconds + (duration.components.attoseconds > 0 ? 1 : 0))
    }
}

extension IniValues {
    /// `server_lifetime`: a server of 0 is used once.
    var lifetime: TimeLimit? {
        time("server_lifetime").map { .after(max($0, .milliseconds(1))) }
    }
}
