// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import Testing

@testable import CaromConfiguration

/// What an ini file of PgBouncer's means.
@Suite struct PgBouncerTranslationTests {
    private func route(_ settings: Settings, _ database: String, _ user: String? = nil) throws
        -> RouteSettings
    {
        let pattern = RoutePattern(
            database: database == "*" ? .anything : .exact(database),
            user: user.map(RouteName.exact) ?? .anything)
        return try #require(settings.routes.first { $0.pattern == pattern }, "no route \(pattern)")
    }

    @Test func whatIsNotSaidIsAsInPgBouncer() throws {
        let settings = try IniFiles("[databases]\na =\n[pgbouncer]\n\(iniAccess)").settings
        #expect(settings.clientMax == 100 && settings.statsInterval == .seconds(60))
        #expect(settings.unixSocketDirectory == "/tmp" && settings.unixSocketMode == 0o777)
        #expect(settings.listeners.map(\.host) == [nil] && settings.listeners.map(\.port) == [6432])
        #expect(settings.limits.wait == .after(.seconds(120)) && settings.limits.query == .never)
        #expect(settings.limits.serverIdle == .after(.seconds(600)))
        #expect(settings.limits.serverLifetime == .after(.seconds(3600)))
        #expect(settings.limits.waitNotice == .after(.seconds(5)))
        #expect(settings.serverLoginRetry == .seconds(15) && settings.backendConnectTimeout == .seconds(15))
        #expect(settings.clientLoginTimeout == .seconds(60) && settings.cancelTimeout == .seconds(10))
        #expect(settings.suspendTimeout == .seconds(10))
        #expect(settings.hooks.checkDelay == .seconds(30) && settings.hooks.checkQuery == nil)
        #expect(settings.hooks.resetQuery == nil && settings.workers == .automatic)
        #expect(settings.keepalive == .seconds(7200) && settings.keepaliveProbes == 9)
        let route = try route(settings, "a")
        #expect(route.pool == .session && route.poolSize == 20 && route.authentication == .md5)
        #expect(route.authFile == "users" && route.storageDatabase == nil && route.poolDiscard == nil)
        let storage = settings.storage(of: route)
        #expect(
            storage.backends == .hosts([StorageHost(.unixDirectory("/tmp"))]) && storage.tls.mode == .prefer)
        #expect(settings.storage(of: try self.route(settings, "pgbouncer")).type == .local)
    }

    @Test func whatIsZeroOrEmptyMeansWhatItMeansThere() throws {
        let settings = try IniFiles(
            """
            [databases]
            a = pool_mode=session
            b = pool_mode=transaction
            [pgbouncer]
            \(iniAccess)
            default_pool_size = 0
            max_client_conn = 0
            server_reset_query =
            server_check_query =
            server_lifetime = 0
            server_idle_timeout = 0
            server_connect_timeout = 0
            server_login_retry = 0
            client_login_timeout = 0
            cancel_wait_timeout = 0
            query_wait_timeout = 0
            tcp_keepalive = 0
            reserve_pool_timeout = 0.2
            """
        ).settings
        #expect(try route(settings, "a").poolSize == nil && settings.clientMax == nil)
        #expect(try route(settings, "a").poolDiscard == false)
        #expect(try route(settings, "b").poolDiscard == nil)
        #expect(settings.hooks.checkDelay == nil && settings.hooks.resetQuery == nil)
        #expect(settings.limits.serverLifetime == .after(.milliseconds(1)))
        #expect(settings.limits.serverIdle == .never && settings.limits.wait == .never)
        #expect(settings.backendConnectTimeout == .seconds(86_400))
        #expect(settings.serverLoginRetry == .milliseconds(1) && settings.cancelTimeout == nil)
        #expect(settings.clientLoginTimeout == .seconds(86_400) && settings.keepalive == nil)
        #expect(settings.reservePoolTimeout == .seconds(1))
    }

    @Test func usersComeBeforeDatabasesAndTheseBeforeAll() throws {
        let settings = try IniFiles(
            """
            [databases]
            a = host=::1,10.0.0.1 port=1 dbname=x pool_size=5 pool_mode=transaction query_wait_timeout=2 \
                server_lifetime=9 max_db_connections=8 max_db_client_connections=9 reserve_pool=3 timezone=UTC \
                connect_query='set a = ''b'''
            * = host=db.example
            [users]
            joe = pool_size=3 pool_mode=statement query_wait_timeout=1.5 reserve_pool_size=0 \
                max_user_connections=4 max_user_client_connections=0 query_timeout=7
            [pgbouncer]
            \(iniAccess)
            query_timeout = 30
            """.replacing("\\\n", with: "")
        ).settings
        let joe = try route(settings, "a", "joe")
        #expect(joe.poolSize == 3 && joe.pool == .statement && joe.limits.wait == .after(.milliseconds(1500)))
        #expect(joe.reservePoolSize == 0 && joe.maxUserServers == 4 && joe.maxUserClients == 0)
        #expect(joe.limits.query == .after(.seconds(7)) && settings.limits.query == .after(.seconds(30)))
        let others = try route(settings, "a")
        #expect(
            others.poolSize == 5 && others.pool == .transaction && others.limits.wait == .after(.seconds(2)))
        #expect(others.limits.serverLifetime == .after(.seconds(9)) && others.limits.query == nil)
        #expect(others.database.maxServers == 8 && others.database.maxClients == 9)
        #expect(others.database.reservePoolSize == 3 && others.storageDatabase == "x")
        #expect(others.backendStartupOptions == [SessionParameter(name: "timezone", value: "UTC")])
        #expect(others.hooks.connectQuery == "set a = 'b'")
        #expect(
            settings.storage(of: others).backends
                == .hosts([StorageHost(.address("::1")), StorageHost(.address("10.0.0.1"))]))
        let anywhere = try route(settings, "*", "joe")
        #expect(anywhere.poolSize == 3 && anywhere.storage == "*")
        #expect(try route(settings, "*").pool == .session)
    }

    @Test func clientsThatLogInAsOneUserShareAPool() throws {
        let files = IniFiles(
            "[databases]\na = user=joe pool_size=4 min_pool_size=2\n[users]\nx = pool_size=9\n[pgbouncer]\n\(iniAccess)"
        )
        let settings = try files.settings
        #expect(settings.sharedPools.map(\.name) == ["a"] && settings.sharedPools.map(\.poolSize) == [4])
        for user in ["x", nil] {
            let route = try route(settings, "a", user)
            #expect(route.sharedPool == "a" && route.poolSize == nil && route.minPoolSize == 0)
            #expect(route.storageUser == "joe" && route.storagePassword?.reveal() == "secret")
        }
        #expect(files.findings.count == 1 && files.findings[0].contains("'min_pool_size' has no effect"))
    }

    @Test func trustIsForUsersOfTheFileAlone() throws {
        for type in ["trust", "TRUST"] {
            let settings = try IniFiles(
                "[databases]\na =\n[users]\nx = pool_size=9\n[pgbouncer]\n\(iniAccess)auth_type = \(type)\n",
                users: "\"joe\" \"\"\n\"boss\" \"x\"\n"
            ).settings
            #expect(
                settings.routes.map(\.pattern.description) == [
                    "a.joe", "a.boss", "pgbouncer.joe", "pgbouncer.boss",
                ])
            #expect(settings.routes.allSatisfy { $0.authentication == .none && $0.authFile == "users" })
        }
    }

    @Test func usersWithVerifiersGoByThem() throws {
        let verifier =
            "SCRAM-SHA-256$4096:\("c2FsdA==")$\(String(repeating: "A", count: 43))=:\(String(repeating: "B", count: 42))A="
        let mixed = try IniFiles(
            "[databases]\na =\n[pgbouncer]\n\(iniAccess)", users: "\"joe\" \"x\"\n\"boss\" \"\(verifier)\"\n"
        ).settings
        #expect(try route(mixed, "a", "boss").authentication == .scramSHA256)
        #expect(try route(mixed, "a").authentication == .md5)
        #expect(try route(mixed, "pgbouncer", "boss").authentication == .scramSHA256)
        let pure = try IniFiles(
            "[databases]\na =\n[pgbouncer]\n\(iniAccess)", users: "\"boss\" \"\(verifier)\"\n"
        ).settings
        #expect(try route(pure, "a").authentication == .scramSHA256 && pure.routes.count == 2)
    }

    @Test func aServerIsAskedForUsersThatTheFileDoesNotHave() throws {
        let settings = try IniFiles(
            """
            [databases]
            a =
            b = auth_query='SELECT $1' auth_dbname=a
            c = auth_user=joe
            [pgbouncer]
            \(iniAccess)
            auth_type = scram-sha-256
            auth_user = joe
            auth_dbname =
            """, users: "\"joe\" \"secret\"\n\"old\" \"md5d41d8cd98f00b204e9800998ecf8427e\"\n"
        ).settings
        let joe = try route(settings, "a", "joe")
        #expect(
            joe.password?.reveal() == "secret" && joe.authentication == .scramSHA256 && joe.authFile == nil)
        let old = try route(settings, "a", "old")
        #expect(old.authentication == .block && old.serverPassword?.form == .md5)
        let query = try #require(try route(settings, "a").authQuerySettings)
        #expect(query.user == "joe" && query.database == "a" && query.text == UserQuerySettings.secretText)
        #expect(try route(settings, "b").authQuerySettings?.database == "a")
        #expect(try route(settings, "b").authQuerySettings?.text == "SELECT $1")
        #expect(try route(settings, "c").authQuerySettings?.database == "c")
        #expect(try route(settings, "pgbouncer").authFile == "users")
    }

    @Test func theFirstHostMayBePreferred() throws {
        let settings = try IniFiles(
            "[databases]\na = host=10.0.0.1,10.0.0.2 port=7 load_balance_hosts=disable\n[pgbouncer]\n\(iniAccess)"
        ).settings
        let resolver = try #require(settings.resolvers.first)
        #expect(resolver.type == .fixed && resolver.hosts.map(\.priority) == [0, 1] && resolver.port == 7)
        #expect(settings.storages[0].backends == .resolver("a"))
    }

    @Test func namesAreKeptForNoLongerThanIsSaid() throws {
        let settings = try IniFiles(
            "[databases]\na = host=db.example\nb = host=10.0.0.1\n[pgbouncer]\n\(iniAccess)dns_max_ttl = 2.5\n"
        ).settings
        #expect(settings.resolvers.map(\.name) == ["a"])
        let resolver = settings.resolvers[0]
        #expect(
            resolver.type == .dns && resolver.longestTTL == .seconds(3) && resolver.shortestTTL == .seconds(3)
        )
        #expect(resolver.negativeTTL == .seconds(15))
    }

    @Test func eachSideHasItsOwnTLS() throws {
        let settings = try IniFiles(
            """
            [databases]
            a = host=10.0.0.1
            [pgbouncer]
            \(iniAccess)
            listen_addr = 127.0.0.1, ::1, 127.0.0.1
            client_tls_sslmode = verify-full
            client_tls_ca_file = ca
            client_tls_cert_file = c
            client_tls_key_file = k
            client_tls_protocols = tlsv1.3
            client_tls_ecdhcurve = X25519
            server_tls_sslmode = verify-ca
            server_tls_ciphers = legacy
            server_tls13_ciphers = TLS_AES_128_GCM_SHA256
            """
        ).settings
        #expect(settings.listeners.map(\.host) == ["127.0.0.1", "::1", nil])
        let client = settings.listeners[0].tls
        #expect(client.mode == .verifyFull && client.versions == .tls13 && client.groups == "X25519")
        #expect(client.caFile == "ca" && client.certificateFile == "c" && client.keyFile == "k")
        #expect(settings.listeners[2].tls == TLSSettings())
        let server = settings.storages[0].tls
        #expect(server.mode == .verifyCA && server.ciphers == "HIGH:MEDIUM:!aNULL" && server.groups == nil)
        #expect(server.cipherSuites == "TLS_AES_128_GCM_SHA256" && server.versions == .secure)
    }

    @Test func linesOfAnHBAFileMayChoose() throws {
        let settings = try IniFiles(
            "[databases]\na =\n[pgbouncer]\n\(iniAccess)auth_type = hba\nauth_hba_file = h\nauth_ident_file = i\n"
        ).settings
        #expect(settings.hbaFile == "h" && settings.identFile == "i")
        #expect(settings.routes.allSatisfy { $0.authentication == .hba && $0.authFile == "users" })
        let without = try IniFiles("[databases]\na =\n[pgbouncer]\n\(iniAccess)auth_hba_file = h\n").settings
        #expect(without.hbaFile == nil)
    }

    @Test func pamIsAskedByPgBouncersName() throws {
        let files = IniFiles(
            "[databases]\na = user=x password=y\n[pgbouncer]\nauth_type = pam\nadmin_users = ann\n")
        guard PackageTrait.built.contains(.pam) else {
            #expect(
                files.findings == [
                    "main.ini:4:1: error: auth_type pam needs a build with the package trait PAM"
                ])
            return
        }
        let route = try route(files.settings, "a")
        #expect(route.authentication == .clearText && route.pamService == "pgbouncer")
        #expect(route.authFile == nil && route.password == nil)
    }

    @Test func serversOfLDAPAreAskedAsTheOptionsSay() throws {
        let files = IniFiles(
            """
            [databases]
            a = user=x password=y
            [pgbouncer]
            auth_type = ldap
            auth_ldap_options = ldapurl="ldap://h:1389/dc=x,dc=y?uid?sub" ldapbinddn="cn=z" ldapbindpasswd=pencil

            """)
        guard PackageTrait.built.contains(.ldap) else {
            #expect(
                files.findings == [
                    "main.ini:4:1: error: auth_type ldap needs a build with the package trait LDAP"
                ])
            return
        }
        let settings = try files.settings
        let route = try route(settings, "a")
        #expect(route.authentication == .clearText && route.ldapEndpoint == "pgbouncer")
        #expect(route.authFile == nil && route.password == nil)
        let service = try #require(route.ldapService)
        #expect(service.addresses.map(\.description) == ["h:1389"] && service.base == "dc=x,dc=y")
        #expect(service.searchAttribute == "uid" && service.bindPassword == Secret("pencil"))
        #expect(
            try ConfigurationFile.parse(text: settings.file).settings.ldapEndpoints == settings.ldapEndpoints)
    }

    @Test(
        arguments: [
            (nil, "4:1: error: auth_type ldap needs auth_ldap_options, which say whom to ask"),
            (
                "ldapserver=h",
                "5:1: error: auth_ldap_options: LDAP needs ldapbasedn, ldapprefix or ldapsuffix"
            ),
            ("ldapbasedn=x", "5:1: error: auth_ldap_options: needs ldapserver"),
            (
                "ldapserver=h ldapbasedn=x ldapbindpasswd=my pencil",
                "5:1: error: auth_ldap_options: something behind ldapbindpasswd is no option; a value with blanks, commas or # stands in double quotes"
            ),
        ] as [(String?, String)])
    func whatIsWrongWithTheOptionsIsSaid(options: String?, expected: String) {
        let more = options.map { "auth_ldap_options = \($0)\n" } ?? ""
        let files = IniFiles("[databases]\na = user=x password=y\n[pgbouncer]\nauth_type = ldap\n\(more)")
        guard PackageTrait.built.contains(.ldap) else { return }
        #expect(files.findings == ["main.ini:\(expected)"])
    }

    @Test func optionsOfLDAPAreShownToNobody() {
        let text = "[pgbouncer]\nauth_ldap_options = ldapbindpasswd=pencil\n"
        let source = FakeFiles(contents: [:]).source
        for (text, shown) in [(text, "***"), ("", "")] {
            let main = PgBouncerFile(text: Array(text.utf8), file: "main.ini", source: source).main
            #expect(main.shown.first { $0.name == "auth_ldap_options" }?.value == shown)
        }
        #expect(
            IniFiles("[databases]\na =\n\(text)\(iniAccess)").findings == [
                "main.ini:4:1: warning: 'auth_ldap_options' has no effect with auth_type md5"
            ])
    }
}
