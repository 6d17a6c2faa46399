// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension RouteSettings: ConfigurationScope {
    /// What may stand in a `user` block.
    package static let directives = DirectiveTable<RouteSettings>(
        block: "user", sections: ["options", "backend_startup_options"], foreign: foreign,
        [
            .choice("authentication", \.authentication),
            .secret("password", \.password), commonNames,
            .text("auth_file", optional: \.authFile),
            .text("auth_pam_service", optional: \.pamService),
            .text("ldap_endpoint_name", optional: \.ldapEndpoint),
            clientMaximum,
            .limit("max_user_client_connections", overriding: \.maxUserClients),
            .flag("client_fwd_error", \.clientForwardError),
            .flag("client_show_id", \.clientShowID),
            .flag("log_debug", \.logDebug),
            .flag("log_query", \.logQuery),
            .text("storage", \.storage),
            .text("storage_db", optional: \.storageDatabase),
            .text("storage_user", optional: \.storageUser),
            .secret("storage_password", \.storagePassword),
            .choice("target_session_attrs", optional: \.targetSessionAttributes),
            .flag("client_target_session_attrs", \.clientTargetSessionAttributes),
            .number("read_retry", \.readRetry, in: 0...100),
            .time("catchup_timeout", in: .seconds, orNever: \.catchupTimeout),
            .choice("catchup_exceeded", \.catchupExceeded),
            .ignored("catchup_checks"),
            .choice("pool", \.pool),
            .limit("pool_size", \.poolSize),
            .text("shared_pool", optional: \.sharedPool),
            .limit("max_user_connections", overriding: \.maxUserServers),
            .limit("reserve_pool_size", overriding: \.reservePoolSize),
            .number("min_pool_size", \.minPoolSize, in: 0...Int(Int32.max)),
            .flag("pool_cancel", \.poolCancel),
            .flag("pool_rollback", \.poolRollback),
            .flag("pool_discard", optional: \.poolDiscard),
            .resetAlways,
            .flag("pool_pin", \.poolPin),
            .flag("pool_listen", \.poolListen),
            .number("max_prepared_statements", \.maxPreparedStatements, in: 1...1_000_000),
            .time("pool_reset_timeout_ms", in: .milliseconds, orNever: \.poolResetTimeout),
        ] + Directive.timeLimits + Directive.serverHooks + Directive.authQuery)

    /// Leaving it out means no limit; 0 would admit no client and is refused, as in Odyssey.
    private static let clientMaximum = Directive<RouteSettings>(
        name: "client_max", expects: "a whole number of at least 1",
        read: { value, route throws(ValueError) in
            route.clientMax = try value.number(in: 1...Int(Int32.max))
        },
        write: { $0.clientMax.map { "\($0)" } })

    private static let commonNames = Directive<RouteSettings>(
        name: "auth_common_name", expects: "a list of names in double quotes",
        read: { value, route throws(ValueError) in
            let expected = "a list of names in double quotes"
            let names = try value.text(expected).split(separator: ",", omittingEmptySubsequences: false)
            route.commonNames = names.map { HostPort.trimmed($0) }
            guard !route.commonNames.contains("") else { throw ValueError("the list has an empty entry") }
        },
        write: { $0.commonNames.isEmpty ? nil : quoted($0.commonNames.joined(separator: ",")) })

    private static let foreign: Set<String> = [
        "application_name_add_host", "auth_module",
        "enable_mdb_iamproxy_auth", "group_query",
        "group_query_db", "group_query_user", "keepalive", "keepalive_keep_interval", "keepalive_probes",
        "keepalive_usr_timeout", "ldap_storage_credentials",
        "ldap_storage_credentials_attr", "maintain_params", "mdb_iamproxy_socket_path",
        "password_passthrough", "pool_acquire_fail_fast", "pool_attach_check",
        "pool_pin_on_listen", "pool_reserve_prepared_statement", "pool_routing", "pool_smart_discard",
        "quantiles", "reserve_session_server_connection", "role", "server_drop_on_cached_plan_error",
    ]
}
