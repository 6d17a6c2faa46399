// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import Testing

@testable import CaromConfiguration

/// What is a configuration, and what it then says.
@Suite struct OdysseyGrammarTests {
    @Test func theSmallestConfigurationIsFilledWithDefaults() throws {
        let settings = try ConfigurationFile.parse(text: smallest).settings
        var expected = Settings()
        var listen = ListenSettings()
        listen.host = "*"
        expected.listeners = [listen]
        var storage = StorageSettings(name: "pg")
        storage.backends = .hosts([StorageHost(.address("127.0.0.1"))])
        expected.storages = [storage]
        var route = RouteSettings(pattern: RoutePattern(database: .anything, user: .anything))
        route.authentication = .none
        route.storage = "pg"
        expected.routes = [route]
        #expect(settings == expected)
        #expect(settings.storage(of: route) == storage)
        #expect(settings.address(of: listen) == .everyAddress(port: 6432))
    }

    @Test func everyDirectiveArrivesWhereItBelongs() throws {
        let text = #"""
            workers "auto" pid_file "/run/carom.pid" daemonize yes process_user "carom"
            unix_socket_dir "/tmp" unix_socket_mode "0644"
            log_file "/var/log/carom.log" log_format "%m" log_to_stdout no
            log_syslog yes log_syslog_ident "x" log_syslog_facility "local3"
            log_debug yes log_config yes log_session no log_query yes log_stats no stats_interval 60
            stats_listen "[::1]:9187" admin_users "ada, Bob the boss ,," stats_users "eve"
            readahead 16kb nodelay no keepalive 0 keepalive_keep_interval 7 keepalive_probes 9
            client_max 100 client_max_routing 40 max_db_client_connections 21 max_user_client_connections 22
            reserve_pool_size 27 reserve_pool_timeout 28 max_db_connections 23 max_user_connections 24 shared_pool "few" { pool_size 25 }
            prepared_statements_memory 32mb
            server_login_retry 5 backend_connect_timeout_ms 1500 cancel_timeout_ms 0 suspend_timeout 3 peer_id 3
            graceful_shutdown_timeout_ms 0
            peer "4" { host "h" port 7 pool_size 2 } peer "5" { host "/tmp" }
            listen { port 6000 backlog 16 reuse_port yes client_login_timeout 250 tls "prefer"
                     tls_key_file "k" tls_cert_file "c" tls_ca_file "a" tls_crl_file "r" tls_protocols "tlsv1.3"
                     tls_ciphers "x" tls_cipher_suites "y" tls_groups "z" }
            storage "s" { type "remote" srv "_pg._tcp.db.example" nameserver "[::1]:5353, 10.0.0.2"
                          tls "verify_full" tls_ca_file "b" max_connections 26 target_session_attrs "read-write"
                          endpoints_status_poll_interval 250 server_check_timeout 1500 server_check_busy yes }
            database "d" { reserve_pool_size 35 max_db_client_connections 31 max_db_connections 33 user "u" {
                reserve_pool_size 36 max_user_client_connections 32 max_user_connections 34 auth_common_name "clerk, keeper"
                authentication "scram-sha-256" password "p\"q" client_max 3 client_fwd_error yes
                client_show_id no log_debug yes log_query yes storage "s" storage_db "sd" storage_user "su"
                storage_password "sp" pool "transaction" pool_size 8 min_pool_size 2 pool_timeout 100 pool_ttl 60
                pool_cancel no pool_rollback no pool_discard no pool_reset_timeout_ms 0 server_lifetime 0
                target_session_attrs "prefer-standby" client_target_session_attrs yes read_retry 37
                options { "work_mem" "1MB" "TimeZone" "UTC" } backend_startup_options { "jit" "off" }
            } user "v" { authentication "md5" storage "s" pool "session" shared_pool "few" auth_file "users" }
            user "w" { authentication "md5" storage "s" pool "session"
                auth_query "select $1" auth_query_db "d" auth_query_user "u" }
            user "x" { authentication "md5" storage "s" pool "session" auth_query_user "u" auth_dbname "d" } }
            """#
        let file = try ConfigurationFile.parse(text: text)
        #expect(
            file.warnings.map(\.message) == [
                "'tls' has no effect on a Unix socket",
                "'auth_common_name' has no effect without authentication \"cert\"",
            ])
        let settings = file.settings
        #expect(settings.workers == .automatic)
        #expect(settings.workers.resolved(processors: 5) == 3)
        #expect(settings.pidFile == "/run/carom.pid")
        #expect(settings.daemonize && settings.processUser == "carom")
        #expect(settings.unixSocketMode == 0o644)
        #expect(settings.logFile == "/var/log/carom.log")
        #expect(settings.logFormat.text == "%m")
        #expect(!settings.logToStdout && settings.logSyslog && settings.logSyslogIdent == "x")
        #expect(settings.logSyslogFacility == .local3)
        #expect(settings.logDebug && settings.logConfig && !settings.logSession && settings.logQuery)
        #expect(!settings.logStats && settings.statsInterval == .seconds(60))
        #expect(settings.statsListen == StatsAddress(host: "::1", port: 9187))
        #expect(settings.adminUsers == ["ada", "Bob the boss"] && settings.statsUsers == ["eve"])
        #expect(settings.readahead == 16384 && !settings.noDelay && settings.keepalive == nil)
        #expect(settings.keepaliveInterval == .seconds(7) && settings.keepaliveProbes == 9)
        #expect(settings.clientMax == 100 && settings.clientMaxRouting == 40)
        #expect(settings.maxDatabaseClients == 21 && settings.maxUserClients == 22)
        #expect(settings.reservePoolSize == 27 && settings.reservePoolTimeout == .seconds(28))
        #expect(settings.routes.map(\.reservePoolSize) == [36, nil, nil, nil])
        #expect(settings.maxDatabaseServers == 23 && settings.maxUserServers == 24)
        #expect(settings.sharedPools.map(\.name) == ["few"] && settings.sharedPools[0].poolSize == 25)
        #expect(settings.routes.map(\.sharedPool) == [nil, "few", nil, nil])
        #expect(settings.preparedStatementsMemory == 32 << 20)
        #expect(settings.serverLoginRetry == .milliseconds(5))
        #expect(settings.backendConnectTimeout == .milliseconds(1500) && settings.cancelTimeout == nil)
        #expect(settings.suspendTimeout == .seconds(3) && settings.peerID == 3)
        #expect(settings.peers.map(\.id) == [4, 5] && settings.peers.map(\.host) == ["h", "/tmp"])
        #expect(settings.peers.map(\.port) == [7, 6432] && settings.peers.map(\.poolSize) == [2, 20])
        #expect(settings.gracefulShutdownTimeout == nil)

        let listen = try #require(settings.listeners.first)
        #expect(settings.address(of: listen) == .unixSocket(path: "/tmp/.s.PGSQL.6000", mode: 0o644))
        #expect(listen.backlog == 16 && listen.clientLoginTimeout == .milliseconds(250))
        #expect(listen.tls.mode == .prefer && listen.tls.versions == .tls13)
        #expect([listen.tls.keyFile, listen.tls.certificateFile, listen.tls.caFile] == ["k", "c", "a"])
        #expect([listen.tls.crlFile, listen.tls.ciphers, listen.tls.cipherSuites] == ["r", "x", "y"])
        #expect(listen.tls.groups == "z")

        let storage = try #require(settings.storages.first)
        #expect(storage.backends == .service("_pg._tcp.db.example"))
        #expect(
            storage.nameservers == [
                NameserverAddress(address: "::1", port: 5353), NameserverAddress(address: "10.0.0.2"),
            ])
        #expect(storage.maxConnections == 26)
        #expect(storage.tls.mode == .verifyFull && storage.tls.caFile == "b")
        #expect(settings.serviceDomain(of: storage) == "db.example")
        #expect(
            storage.statusPollInterval == .milliseconds(250) && storage.checkTimeout == .milliseconds(1500))
        #expect(storage.targetSessionAttributes == .readWrite)
        #expect(
            settings.routes.map { settings.target(of: $0) } == [.preferStandby]
                + Array(repeating: .readWrite, count: 3))
        #expect(settings.routes[0].readRetry == 37)
        #expect(settings.storages.map(\.checksBusy) == [true])
        #expect(settings.storages.map(\.allowsCleartextPassword) == [false])
        #expect(settings.routes.map(\.clientTargetSessionAttributes) == [true, false, false, false])

        let route = try #require(settings.routes.first)
        #expect(route.pattern.description == "d.u")
        #expect(route.authentication == .scramSHA256 && route.password?.reveal() == "p\"q")
        #expect(route.commonNames == ["clerk", "keeper"])
        #expect(settings.routes.allSatisfy { $0.database.maxClients == 31 } && route.maxUserClients == 32)
        #expect(settings.routes.allSatisfy { $0.database.reservePoolSize == 35 })
        #expect(settings.routes.allSatisfy { $0.database.maxServers == 33 } && route.maxUserServers == 34)
        #expect(route.clientMax == 3 && route.clientForwardError && !route.clientShowID)
        #expect(route.logDebug && route.logQuery && route.storage == "s")
        #expect(route.serverDatabase(forClientDatabase: "d") == "sd")
        #expect(route.serverUser(forClientUser: "u") == "su" && route.serverPassword?.reveal() == "sp")
        #expect(route.pool == .transaction && route.poolSize == 8 && route.minPoolSize == 2)
        #expect(
            route.limits.wait == .after(.milliseconds(100)) && route.limits.serverIdle == .after(.seconds(60))
        )
        #expect(!route.poolCancel && !route.poolRollback && route.poolDiscard == false)
        #expect(route.poolResetTimeout == nil && route.limits.serverLifetime == .never)
        #expect(
            route.options == [
                SessionParameter(name: "work_mem", value: "1MB"),
                SessionParameter(name: "TimeZone", value: "UTC"),
            ])
        #expect(route.backendStartupOptions == [SessionParameter(name: "jit", value: "off")])
        #expect(settings.routes[1].authFile == "users")
        let queries = settings.routes[2...].map(\.authQuerySettings)
        #expect(queries[0] == UserQuerySettings(text: "select $1", database: "d", user: "u"))
        #expect(queries[1]?.text == UserQuerySettings.secretText && queries[1]?.database == "d")
    }

    @Test func theDumpIsTheSameConfigurationWithoutItsSecrets() throws {
        let text =
            smallest + #"""

                log_format "%m \" \\" client_max 7 unix_socket_dir "/tmp" unix_socket_mode "0007"
                storage "more" { type "remote" host "a.example:1, unix:///run/pg,[fe80::1]:2" tls "require" }
                shared_pool "p" { pool_size 3 }
                database "x" { max_db_client_connections 0 user "hansel" {
                    authentication "md5" password "gretel" storage_password "witch"
                    storage "more" pool "transaction" shared_pool "p" options { "a" "b\"c\d" }
                } }
                """#
        let settings = try ConfigurationFile.parse(text: text).settings
        let dump = settings.description
        #expect(!dump.contains("gretel") && !dump.contains("witch"))
        var expected = settings
        expected.routes[1].password = Secret("***")
        expected.routes[1].storagePassword = Secret("***")
        #expect(try ConfigurationFile.parse(text: dump).settings == expected)
    }

    @Test(arguments: [
        ("one", [StorageHost(.name("one"))]),
        ("10.0.0.1:5433,::.example", nil),
        ("[::1]", [StorageHost(.address("::1"))]),
        (
            "[::1]:5433 , tcp://b.example:1",
            [StorageHost(.address("::1"), port: 5433), StorageHost(.name("b.example"), port: 1)]
        ),
        ("/run/postgresql:5433", [StorageHost(.unixDirectory("/run/postgresql"), port: 5433)]),
        ("unix:///run", [StorageHost(.unixDirectory("/run"))]),
        ("unix://run", nil), ("::1", nil), ("[::1", nil), ("[1.2.3.4]", nil), ("a,,b", nil),
        ("300.1.1.1", nil),
        ("a:0", nil), ("a:65536", nil), ("a:", nil), ("a b", nil), ("a-", nil),
        ("a:5432:zone1", [StorageHost(.name("a"), port: 5432, zone: "zone1")]), ("a:5432:1", nil),
        ("tcp:///run", nil),
    ])
    func hostsAreReadAsOdysseyWritesThem(list: String, hosts: [StorageHost]?) {
        var storage = StorageSettings(name: "x")
        let read: [StorageHost]?
        do throws(ValueError) {
            try StorageSettings.hostList.read(
                ConfigurationValue(.string(list), at: ConfigurationPosition(file: "f", line: 1, column: 1)),
                &storage)
            guard case .hosts(let found) = storage.backends else { return #expect(Bool(false), "no hosts") }
            read = found
        } catch {
            read = nil
        }
        #expect(read == hosts)
    }

    @Test func stringsMaySpanLinesAndKeepTheirBackslashes() throws {
        let text = smallest + "\nlog_file \"a\\b\nc\\\\\" # a comment \" with a quote\nlog_debug yes#end"
        let settings = try ConfigurationFile.parse(text: text).settings
        #expect(settings.logFile == "a\\b\nc\\")
        #expect(settings.logDebug)
    }

    @Test(arguments: [
        (#"abc"#, #"abc"#), (#"a\b"#, #"a\b"#), (#"abc\\"#, #"abc\"#), (#"abc\\\\"#, #"abc\\"#),
        (#"a\"b"#, #"a"b"#), (#"a\\\"b"#, #"a\"b"#),
        (#"\\"#, #"\"#), (#"\n"#, #"\n"#),
    ])
    func backslashesBeforeAQuoteAreHalved(written: String, meant: String) throws {
        let text = smallest + "\nlog_file \"\(written)\" log_debug yes"
        let settings = try ConfigurationFile.parse(text: text).settings
        #expect(settings.logFile == meant && settings.logDebug)
    }

    @Test(arguments: 0...400)
    func everyStringCanBeWritten(number: Int) throws {
        // The digits of the number to the base 3 are the characters: 0 ends the string.
        var text = "x"
        var rest = number
        while rest > 0 {
            text.append(["\\", "\"", "a"][rest % 3])
            rest /= 3
        }
        let written = smallest + "\nlog_file \(quoted(text)) log_debug yes"
        #expect(try ConfigurationFile.parse(text: written).settings.logFile == text)
    }

    @Test(arguments: [
        ("verify-ca", TLSMode.verifyCA), ("verify-full", .verifyFull), ("verify_ca", .verifyCA),
        ("verify_full", .verifyFull), ("Require", .require),
    ])
    func tlsModesAreReadInBothSpellings(word: String, mode: TLSMode) throws {
        let text = smallest + "\nstorage \"tls\" { type \"remote\" host \"h\" tls \"\(word)\" }"
        #expect(try ConfigurationFile.parse(text: text).settings.storages[1].tls.mode == mode)
    }

    @Test func aServerListedTwiceIsOneBackend() throws {
        let list = "h, H.:5432, [::1], [0:0::1]:5432, h:5433, 10.0.0.1, 10.0.0.1"
        let text = smallest + "\nstorage \"x\" { type \"remote\" host \"\(list)\" }"
        let file = try ConfigurationFile.parse(text: text)
        #expect(file.warnings.count == 3)
        #expect(
            file.settings.storages[1].backends
                == .hosts([
                    StorageHost(.name("h")), StorageHost(.address("::1")),
                    StorageHost(.name("h"), port: 5433),
                    StorageHost(.address("10.0.0.1")),
                ]))
    }
}
