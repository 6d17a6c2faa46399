// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Every key of each section of PgBouncer's ini files.
enum IniKeys {
    /// A section: its keys, and those of PgBouncer's versions that have more than others.
    struct Section: Sendable {
        let name: String
        let keys: [IniKey]

        subscript(_ name: String) -> IniKey? { keys.first { $0.name == name } }
    }

    static let main = Section(
        name: "pgbouncer", keys: service + limits + access + logging + servers + timeouts + sockets + tls)
    /// Of an entry of `[databases]`.
    static let database = Section(
        name: "databases",
        keys: [
            IniKey("dbname", .text, nil), IniKey("host", .text, nil),
            IniKey("port", .number(1...65535), "5432"), IniKey("user", .text, nil),
            IniKey("password", .text, nil).secret,
            IniKey("auth_user", .text, nil), IniKey("auth_query", .text, nil),
            IniKey("auth_dbname", .text, nil),
            IniKey("pool_size", .number(counts), nil), IniKey("min_pool_size", .number(counts), nil),
            IniKey("reserve_pool_size", .number(counts), nil),
            IniKey("reserve_pool", .number(counts), nil).named("reserve_pool_size"),
            IniKey("connect_query", .text, nil), IniKey("pool_mode", .word(poolModes), nil),
            IniKey("query_wait_timeout", .time, nil),
            IniKey("load_balance_hosts", .word(["round-robin", "disable"]), "round-robin"),
            IniKey("max_db_connections", .number(counts), nil),
            IniKey("max_db_client_connections", .number(counts), nil),
            IniKey("server_lifetime", .time, nil),
            IniKey("client_encoding", .text, nil), IniKey("datestyle", .text, nil),
            IniKey("timezone", .text, nil), IniKey("application_name", .text, nil),
        ])
    /// Of an entry of `[users]`.
    static let user = Section(
        name: "users",
        keys: [
            IniKey("pool_size", .number(counts), nil), IniKey("reserve_pool_size", .number(counts), nil),
            IniKey("pool_mode", .word(poolModes), nil),
            IniKey("max_user_connections", .number(counts), nil),
            IniKey("max_user_client_connections", .number(counts), nil),
            IniKey("query_timeout", .time, nil), IniKey("query_wait_timeout", .time, nil),
            IniKey("idle_transaction_timeout", .time, nil), IniKey("transaction_timeout", .time, nil),
            IniKey("client_idle_timeout", .time, nil),
        ])
    /// Of an entry of `[peers]`.
    static let peer = Section(
        name: "peers",
        keys: [
            IniKey("host", .text, nil), IniKey("port", .number(1...65535), "6432"),
            IniKey("pool_size", .number(1...Int(Int32.max)), nil),
        ])

    static let all = [main, database, user, peer]

    private static let counts = 0...Int(Int32.max)
    private static let poolModes = PoolingMode.allCases.map(\.rawValue)
    /// What `auth_type` may be here.
    static let methods = ["any", "trust", "plain", "md5", "scram-sha-256", "cert", "hba", "pam", "ldap"]

    private static let service = [
        IniKey("logfile", .text, "").restart, IniKey("pidfile", .text, "").restart,
        IniKey("listen_addr", .text, ""),
        IniKey("listen_port", .number(1...65535), "6432"),
        IniKey("unix_socket_dir", .text, "/tmp"),
        IniKey("unix_socket_mode", .number(0...0o777), "0777").restart,
        IniKey("unix_socket_group", .text, "").ignored("the socket belongs to the group of the process"),
        IniKey("user", .text, "").restart,
        IniKey("peer_id", .number(0...16383), "0"),
        IniKey("disable_pqexec", .flag, "0").ignored("queries of several statements are not refused"),
        IniKey("application_name_add_host", .flag, "0").ignored(
            "the name of an application stays as its client gives it"),
        IniKey("job_name", .text, "pgbouncer").ignored("it is for Windows"),
        IniKey("service_name", .text, "pgbouncer").named("job_name").ignored("it is for Windows"),
        IniKey("track_extra_parameters", .text, "IntervalStyle").ignored("all settings are tracked"),
        IniKey("ignore_startup_parameters", .text, ""),
        IniKey("stats_period", .number(1...Int(Int32.max)), "60"),
        IniKey("conffile", .text, nil).ignored("the file is named when the pooler is started"),
    ]
    private static let limits = [
        IniKey("pool_mode", .word(poolModes), "session"),
        IniKey("max_client_conn", .number(counts), "100"),
        IniKey("default_pool_size", .number(counts), "20"),
        IniKey("min_pool_size", .number(counts), "0"), IniKey("reserve_pool_size", .number(counts), "0"),
        IniKey("reserve_pool_timeout", .time, "5"), IniKey("max_db_connections", .number(counts), "0"),
        IniKey("max_db_client_connections", .number(counts), "0"),
        IniKey("max_user_connections", .number(counts), "0"),
        IniKey("max_user_client_connections", .number(counts), "0"),
        IniKey("max_prepared_statements", .number(0...1_000_000), "200"),
    ]
    private static let access = [
        IniKey("auth_type", .word(methods), "md5"), IniKey("auth_file", .text, ""),
        IniKey("auth_hba_file", .text, ""), IniKey("auth_ident_file", .text, ""),
        IniKey("auth_user", .text, ""), IniKey("auth_dbname", .text, ""),
        IniKey("auth_query", .text, UserQuerySettings.secretText),
        IniKey("auth_ldap_options", .text, "").secret,
        IniKey("scram_iterations", .number(1...Int(Int32.max)), "4096").ignored(
            "plain passwords become verifiers of 4096 rounds"),
        IniKey("admin_users", .text, ""), IniKey("stats_users", .text, ""),
    ]
    private static let logging = [
        IniKey("syslog", .flag, "0").restart, IniKey("syslog_ident", .text, "pgbouncer").restart,
        IniKey("syslog_facility", .word(SyslogFacility.allCases.map(\.rawValue)), "daemon").restart,
        IniKey("log_connections", .flag, "1"), IniKey("log_disconnections", .flag, "1"),
        IniKey("log_pooler_errors", .flag, "1").ignored("errors told to clients are always logged"),
        IniKey("log_stats", .flag, "1"), IniKey("verbose", .number(counts), "0"),
    ]
    private static let servers = [
        IniKey("server_round_robin", .flag, "0"), IniKey("server_reset_query", .text, "DISCARD ALL"),
        IniKey("server_reset_query_always", .flag, "0"), IniKey("server_check_delay", .time, "30"),
        IniKey("server_check_query", .text, "<empty>"), IniKey("server_fast_close", .flag, "0"),
        IniKey("server_lifetime", .time, "3600"), IniKey("server_idle_timeout", .time, "600"),
        IniKey("server_connect_timeout", .time, "15"), IniKey("server_login_retry", .time, "15"),
        IniKey("dns_max_ttl", .time, "15"), IniKey("dns_nxdomain_ttl", .time, "15"),
        IniKey("dns_zone_check_period", .time, "0").ignored("names are asked for again as they run out"),
        IniKey("resolv_conf", .text, "").ignored("the file of the system is read"),
    ]
    private static let timeouts = [
        IniKey("client_login_timeout", .time, "60"),
        IniKey("autodb_idle_timeout", .time, "3600").ignored(
            "a pool that nobody uses goes when its servers have"),
        IniKey("pool_idle_timeout", .time, "0").ignored("a pool that nobody uses goes when its servers have"),
        IniKey("query_wait_notify", .time, "5"),
        IniKey("login_notify_message", .text, "").ignored("clients are told nothing at their login"),
        IniKey("query_timeout", .time, "0"), IniKey("query_wait_timeout", .time, "120"),
        IniKey("cancel_wait_timeout", .time, "10"), IniKey("client_idle_timeout", .time, "0"),
        IniKey("idle_transaction_timeout", .time, "0"), IniKey("transaction_timeout", .time, "0"),
        IniKey("suspend_timeout", .time, "10"),
    ]
    private static let sockets = [
        IniKey("pkt_buf", .number(counts), "4096").ignored("workers have buffers of their own"),
        IniKey("max_packet_size", .number(counts), "2147483647").ignored(
            "long messages are passed on in pieces"),
        IniKey("listen_backlog", .number(1...65535), "128").restart,
        IniKey("sbuf_loopcnt", .number(counts), "5").ignored("each side has its turn"),
        IniKey("so_reuseport", .flag, "0").restart,
        IniKey("tcp_defer_accept", .number(counts), "1").ignored("clients are accepted as they come"),
        IniKey("tcp_socket_buffer", .number(counts), "0").ignored("the kernel sizes the buffers"),
        IniKey("tcp_keepalive", .flag, "1").restart, IniKey("tcp_keepcnt", .number(counts), "0").restart,
        IniKey("tcp_keepidle", .number(counts), "0").restart,
        IniKey("tcp_keepintvl", .number(counts), "0").restart,
        IniKey("tcp_user_timeout", .number(counts), "0").ignored("it is the kernel's"),
    ]
    private static let tls =
        ["client", "server"].flatMap { side in
            [
                IniKey("\(side)_tls_sslmode", .tlsMode, side == "client" ? "disable" : "prefer"),
                IniKey("\(side)_tls_ca_file", .text, ""), IniKey("\(side)_tls_key_file", .text, ""),
                IniKey("\(side)_tls_cert_file", .text, ""),
                IniKey("\(side)_tls_protocols", .tlsProtocols, "secure"),
                IniKey("\(side)_tls_ciphers", .text, "default"), IniKey("\(side)_tls13_ciphers", .text, ""),
            ]
        } + [
            IniKey("client_tls_ecdhcurve", .text, "auto"),
            IniKey("client_tls_dheparams", .text, "auto").ignored("keys are exchanged by elliptic curves"),
        ]
}
