// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension Settings: ConfigurationScope {
    /// What may stand at the top of the file.
    package static let directives = DirectiveTable<Settings>(
        block: "",
        sections: ["include", "listen", "resolver", "storage", "shared_pool", "ldap_endpoint", "database"],
        foreign: foreign,
        service + logging + sockets + access + console + limits + Directive.timeLimits + Directive.serverHooks
            + meaningless.map { .ignored($0) })

    private static let service: [Directive<Settings>] = [
        workerCount,
        .text("pid_file", optional: \.pidFile),
        .flag("daemonize", \.daemonize),
        .text("process_user", optional: \.processUser),
        .text("unix_socket_dir", optional: \.unixSocketDirectory),
        socketMode,
        .text("upgrade_socket", optional: \.upgradeSocket),
        .time("upgrade_timeout", in: .seconds, orNever: \.upgradeTimeout),
    ]

    private static let logging: [Directive<Settings>] = [
        .text("log_file", optional: \.logFile),
        format,
        .flag("log_to_stdout", \.logToStdout),
        .flag("log_syslog", \.logSyslog),
        .text("log_syslog_ident", \.logSyslogIdent),
        .choice("log_syslog_facility", \.logSyslogFacility),
        .flag("log_debug", \.logDebug),
        .flag("log_config", \.logConfig),
        .flag("log_session", \.logSession),
        .flag("log_query", \.logQuery),
        .flag("log_stats", \.logStats),
        .time("stats_interval", in: .seconds, \.statsInterval),
        statsAddress,
    ]

    private static let sockets: [Directive<Settings>] = [
        readBuffer,
        .flag("nodelay", \.noDelay),
        .time("keepalive", in: .seconds, orNever: \.keepalive),
        .time("keepalive_keep_interval", in: .seconds, \.keepaliveInterval),
        .number("keepalive_probes", \.keepaliveProbes, in: 1...127),
    ]

    private static let access: [Directive<Settings>] = [
        .text("hba_file", optional: \.hbaFile), .text("ident_file", optional: \.identFile),
        Directive(
            name: "hba_role_query", expects: "a query with $1 for the user, in double quotes",
            read: { value, settings throws(ValueError) in settings.hbaRoleQuery = try value.userQuery() },
            write: { $0.hbaRoleQuery.map(quoted) }),
        .text("hba_role_query_db", optional: \.hbaRoleQueryDatabase),
        .text("hba_role_query_user", optional: \.hbaRoleQueryUser),
        .time("auth_delay", in: .milliseconds, orNever: \.authDelay),
        .limit("auth_failure_limit", \.authFailureLimit),
        .time("auth_failure_period", in: .seconds, \.authFailurePeriod),
    ]

    private static let console: [Directive<Settings>] = [
        .names("admin_users", \.adminUsers), .names("stats_users", \.statsUsers),
    ]

    private static let limits: [Directive<Settings>] = [
        .limit("client_max", \.clientMax),
        ignoredParameters,
        .limit("client_max_routing", \.clientMaxRouting),
        .number("reserve_pool_size", \.reservePoolSize, in: 0...Int(Int32.max)),
        .time("reserve_pool_timeout", in: .seconds, orNever: \.reservePoolTimeout),
        .limit("max_db_connections", \.maxDatabaseServers),
        .limit("max_user_connections", \.maxUserServers),
        .limit("max_db_client_connections", \.maxDatabaseClients),
        .limit("max_user_client_connections", \.maxUserClients),
        .size("memory_limit", orNoLimit: \.memoryLimit),
        .size("prepared_statements_memory", orNoLimit: \.preparedStatementsMemory),
        .text("availability_zone", optional: \.availabilityZone),
        .time("server_login_retry", in: .milliseconds, \.serverLoginRetry),
        .time("backend_connect_timeout_ms", in: .milliseconds, \.backendConnectTimeout),
        .time(
            "server_connect_timeout", in: .seconds, \.backendConnectTimeout,
            meaning: "backend_connect_timeout_ms"),
        .time("cancel_timeout_ms", in: .milliseconds, orNever: \.cancelTimeout),
        .time("cancel_wait_timeout", in: .seconds, orNever: \.cancelTimeout, meaning: "cancel_timeout_ms"),
        .number("peer_id", \.peerID, in: 0...PeerSettings.ids.upperBound),
        .time("suspend_timeout", in: .seconds, orNever: \.suspendTimeout),
        .time("client_login_timeout", in: .milliseconds, \.clientLoginTimeout),
        .time("graceful_shutdown_timeout_ms", in: .milliseconds, orNever: \.gracefulShutdownTimeout),
    ]

    /// Odyssey's tuning of its own coroutines, caches and threads, which Carom does not have.
    private static let meaningless = [
        "cache", "cache_chunk", "cache_coroutine", "cache_msg_gc_size", "coroutine_stack_size",
        "graceful_die_on_errors", "log_async", "log_queue_depth", "packet_read_size", "packet_write_queue",
        "pipeline", "resolvers", "system_coroutine_stack_size",
    ]

    private static let foreign: Set<String> = [
        "bindwith_reuseport", "cancel_max_inflight", "cancel_queue_timeout_ms",
        "conn_drop_options", "cpu_affinity", "disable_nolinger", "dns_cache_ttl",
        "enable_host_watcher", "enable_online_restart", "external_auth_socket_path", "group_checker_interval",
        "keepalive_usr_timeout", "locks_dir", "log_general_stats_prom",
        "log_route_stats_prom", "max_sigterms_to_die", "online_restart_drop_options", "priority",
        "promhttp_server_port", "query_parsing", "sequential_routing",
        "smart_search_path_enquoting", "soft_oom", "virtual_processing", "virtual_transaction",
    ]

    private static let workerCount = Directive<Settings>(
        name: "workers", expects: "a whole number from 1 to 1024 or \"auto\"",
        read: { value, settings throws(ValueError) in
            if value.content == .string("auto") {
                settings.workers = .automatic
            } else {
                settings.workers = .count(try value.number(in: 1...1024, or: "\"auto\""))
            }
        },
        write: {
            switch $0.workers {
            case .count(let count): "\(count)"
            case .automatic: "\"auto\""
            }
        })

    private static let ignoredParameters = Directive<Settings>(
        name: "ignore_startup_parameters", expects: "names with commas between them",
        read: { value, settings throws(ValueError) in
            let names = try value.text("names of settings in double quotes, with commas between them")
            settings.ignoreStartupParameters = names.split(separator: ",").flatMap {
                $0.lowercased().split(separator: " ").map(String.init)
            }
        },
        write: {
            $0.ignoreStartupParameters.isEmpty
                ? nil : quoted($0.ignoreStartupParameters.joined(separator: ","))
        })

    private static let format = Directive<Settings>(
        name: "log_format", expects: "a string in double quotes",
        read: { value, settings throws(ValueError) in
            let text = try value.text()
            do throws(LogFormatError) {
                settings.logFormat = try LogFormat(text)
            } catch {
                throw ValueError(error.description)
            }
        },
        write: { quoted($0.logFormat.text) })

    private static let socketMode = Directive<Settings>(
        name: "unix_socket_mode", expects: "an octal number in double quotes, from \"0000\" to \"0777\"",
        read: { value, settings throws(ValueError) in
            let expected = "an octal number in double quotes, from \"0000\" to \"0777\""
            let text = try value.text(expected)
            guard text.utf8.count <= 4, text.utf8.allSatisfy({ (48...55).contains($0) }),
                let mode = UInt16(text, radix: 8),
                mode <= 0o777
            else { throw ValueError("expected \(expected), found \(quoted(text))") }
            settings.unixSocketMode = mode
        },
        write: {
            $0.unixSocketMode.map { mode in
                let digits = String(mode, radix: 8)
                return quoted(String(repeating: "0", count: 4 - digits.utf8.count) + digits)
            }
        })

    private static let statsAddress = Directive<Settings>(
        name: "stats_listen", expects: "an address and a port in double quotes, such as \"127.0.0.1:9187\"",
        read: { value, settings throws(ValueError) in
            let expected = "an address and a port in double quotes, such as \"127.0.0.1:9187\""
            let text = try value.text(expected)
            if !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) }) {
                guard let port = Int(text), (1...65535).contains(port) else {
                    throw ValueError("\(quoted(text)) is no port; expected a whole number from 1 to 65535")
                }
                settings.statsListen = StatsAddress(port: port)
                return
            }
            let host = try StorageHost(text[...])
            guard case .address(let address) = host.location, let port = host.port else {
                throw ValueError("expected \(expected), found \(quoted(text))")
            }
            settings.statsListen = StatsAddress(host: address, port: port)
        },
        write: { $0.statsListen.map { quoted($0.description) } })

    private static let readBuffer = Directive<Settings>(
        name: "readahead", expects: "a size from 4096 to 16777216 bytes",
        read: { value, settings throws(ValueError) in
            settings.readahead = try value.size(in: 4096...(16 << 20))
        },
        write: { "\($0.readahead)" })
}
