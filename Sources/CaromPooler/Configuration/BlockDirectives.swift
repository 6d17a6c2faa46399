// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension ListenSettings {
    /// What may stand in a `listen` block.
    static let directives = DirectiveTable<ListenSettings>(
        block: "listen",
        foreign: ["balancing_method", "catchup_timeout", "storage", "target_session_attrs"],
        [
            .text("host", optional: \.host),
            .number("port", \.port, in: 1...65535),
            .number("backlog", \.backlog, in: 1...65535),
        ] + Directive.tls + [
            .time("client_login_timeout", in: .milliseconds, \.clientLoginTimeout),
            .ignored("compression"),
        ])
}

extension StorageSettings {
    /// What may stand in a `storage` block.
    static let directives = DirectiveTable<StorageSettings>(
        block: "storage",
        foreign: ["balancing", "endpoints_status_poll_interval", "server_max_routing", "watchdog"],
        [
            storageType, hostList, serviceName, hostsFile, nameserverList,
            .number("port", \.port, in: 1...65535),
        ]
            + Directive.tls)

    private static let storageType = Directive<StorageSettings>(
        name: "type", expects: "\"remote\"",
        read: { value, storage throws(ValueProblem) in
            let text = try value.text("\"remote\"")
            switch text {
            case StorageType.remote.rawValue: storage.type = .remote
            case "local": throw ValueProblem("\"local\" (the console) is not supported; allowed: \"remote\"")
            default: throw ValueProblem("unknown value \(quoted(text)); allowed: \"remote\"")
            }
        },
        write: { quoted($0.type.rawValue) })
}

extension RouteSettings {
    /// What may stand in a `user` block.
    static let directives = DirectiveTable<RouteSettings>(
        block: "user", sections: ["options", "backend_startup_options"], foreign: foreign,
        [
            .choice("authentication", \.authentication),
            .secret("password", \.password),
            clientMaximum,
            .flag("client_fwd_error", \.clientForwardError),
            .flag("client_show_id", \.clientShowID),
            .flag("log_debug", \.logDebug),
            .flag("log_query", \.logQuery),
            .text("storage", \.storage),
            .text("storage_db", optional: \.storageDatabase),
            .text("storage_user", optional: \.storageUser),
            .secret("storage_password", \.storagePassword),
            .choice("pool", \.pool),
            .limit("pool_size", \.poolSize),
            .number("min_pool_size", \.minPoolSize, in: 0...Int(Int32.max)),
            .time("pool_timeout", in: .milliseconds, orNever: \.poolTimeout),
            .time("pool_ttl", in: .seconds, orNever: \.poolTTL),
            .flag("pool_cancel", \.poolCancel),
            .flag("pool_rollback", \.poolRollback),
            .flag("pool_discard", optional: \.poolDiscard),
            .time("pool_reset_timeout_ms", in: .milliseconds, orNever: \.poolResetTimeout),
            .time("server_lifetime", in: .seconds, orNever: \.serverLifetime),
        ])

    /// Leaving it out means no limit; 0 would lock everybody out and is refused, as in Odyssey.
    private static let clientMaximum = Directive<RouteSettings>(
        name: "client_max", expects: "a whole number of at least 1",
        read: { value, route throws(ValueProblem) in
            route.clientMax = try value.number(in: 1...Int(Int32.max))
        },
        write: { $0.clientMax.map { "\($0)" } })

    private static let foreign: Set<String> = [
        "application_name_add_host", "auth_common_name", "auth_module", "auth_pam_service", "auth_query",
        "auth_query_db", "auth_query_user", "catchup_timeout", "enable_mdb_iamproxy_auth", "group_query",
        "group_query_db", "group_query_user", "keepalive", "keepalive_keep_interval", "keepalive_probes",
        "keepalive_usr_timeout", "ldap_endpoint_name", "ldap_storage_credentials",
        "ldap_storage_credentials_attr", "maintain_params", "mdb_iamproxy_socket_path",
        "password_passthrough", "pool_acquire_fail_fast", "pool_attach_check", "pool_client_idle_timeout",
        "pool_discard_query", "pool_idle_in_transaction_timeout", "pool_notice_after_waiting_ms",
        "pool_pin_on_listen", "pool_reserve_prepared_statement", "pool_routing", "pool_smart_discard",
        "quantiles", "reserve_session_server_connection", "role", "server_drop_on_cached_plan_error",
        "shared_pool", "target_session_attrs",
    ]
}

extension Directive where Scope: TLSConfigured {
    /// The directives every block with TLS has.
    static var tls: [Self] {
        [
            .choice("tls", \.tls.mode),
            .text("tls_ca_file", optional: \.tls.caFile),
            .text("tls_key_file", optional: \.tls.keyFile),
            .text("tls_cert_file", optional: \.tls.certificateFile),
            protocols,
        ]
    }

    private static var protocols: Self {
        let allowed = "a list of \"tlsv1.2\" and \"tlsv1.3\""
        return Directive(
            name: "tls_protocols", expects: allowed,
            read: { value, scope throws(ValueProblem) in
                var versions: [TLSVersion] = []
                for word in try value.text(allowed).split(whereSeparator: { ", :".contains($0) }) {
                    guard let version = TLSVersion(rawValue: String(word)) else {
                        throw ValueProblem("unknown TLS version \(quoted(String(word))); allowed: \(allowed)")
                    }
                    versions.append(version)
                }
                guard let oldest = versions.min(), let newest = versions.max() else {
                    throw ValueProblem("expected \(allowed), found an empty list")
                }
                scope.tls.protocols = oldest...newest
            },
            write: { scope in
                let versions = TLSVersion.allCases.filter(scope.tls.protocols.contains)
                return quoted(versions.map(\.rawValue).joined(separator: ", "))
            })
    }
}
