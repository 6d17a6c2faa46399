// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTLS
import CaromTestSupport
import Foundation
import Testing

@testable import CaromPooler

/// What is configured, and what a new configuration takes over from the one before.
@Suite struct SnapshotTests {
    private static func settings(
        top: String = "", storage: String = "host \"127.0.0.1\"", route: String = "password \"secret\""
    ) throws -> Settings {
        let text = """
            \(top)
            listen { host "*" port 7000 }
            storage "pg" { type "remote" \(storage) }
            database "shop" { user "bob" {
                authentication "scram-sha-256" storage "pg" pool "transaction" \(route)
            } }
            """
        return try ConfigurationFile.parse(text: text).settings
    }

    private static func snapshot(_ settings: Settings, previous: Snapshot? = nil) throws -> Snapshot {
        let log = PoolerLog(settings, writer: try LogWriter(descriptors: []))
        return try Snapshot(settings, previous: previous, log: log)
    }

    private static func definition(_ snapshot: Snapshot) throws -> RouteDefinition {
        try #require(snapshot.route(database: "shop", user: "bob"))
    }

    /// Whether both find their servers with the same resolver.
    private static func shareResolver(_ left: RouteDefinition, _ right: RouteDefinition) -> Bool {
        guard case .servers(let left) = left.target, case .servers(let right) = right.target else {
            return false
        }
        return ObjectIdentifier(left as AnyObject) == ObjectIdentifier(right as AnyObject)
    }

    @Test func clientsFindTheDefinitionOfTheirRoute() throws {
        let snapshot = try Self.snapshot(Self.settings())
        #expect(try Self.definition(snapshot).settings.pattern.description == "shop.bob")
        #expect(snapshot.route(database: "shop", user: "eve") == nil)
    }

    @Test(arguments: ["bad name", "a'b", "1a", "a.", "\u{e9}"])
    func anOptionThatIsNoSettingIsNamed(_ name: String) throws {
        let settings = try Self.settings(route: "password \"x\" options { \"\(name)\" \"1\" }")
        #expect(throws: SnapshotError.self) { try Self.snapshot(settings) }
        do { _ = try Self.snapshot(settings) } catch {
            #expect("\(error)".contains("shop.bob") && "\(error)".contains("\"\(name)\""))
        }
    }

    @Test func aPoolBehavesAsItsRouteSays() throws {
        let top = "server_login_retry 5000 backend_connect_timeout_ms 700"
        let route =
            "password \"x\" pool_size 8 min_pool_size 3 pool_timeout 100 pool_ttl 60 server_lifetime 0"
        let policy = try Self.definition(Self.snapshot(Self.settings(top: top, route: route))).policy
        #expect(policy.maxSlots == 8 && policy.perBackendMax == 8)
        #expect(policy.minSlots == 3 && policy.spares == 0 && policy.recycleTimeout == .seconds(2))
        #expect(policy.claimTimeout == .milliseconds(100) && policy.shrink == .afterIdle(.seconds(60)))
        #expect(policy.maxLifetime == nil && policy.connectTimeout == .milliseconds(700))
        #expect(policy.minBackoff == .seconds(5) && policy.maxBackoff == .seconds(5))
        let hooked = try Self.definition(
            Self.snapshot(
                Self.settings(
                    top: "pool_timeout 70 codel_target 9",
                    route: "password \"x\" server_check_delay 0 codel_interval 8 server_idle_timeout 0.5"))
        ).policy
        #expect(hooked.claimTimeout == .milliseconds(70) && hooked.validationBypass == .zero)
        #expect(hooked.codelTarget == .milliseconds(9) && hooked.codelInterval == .milliseconds(8))
        #expect(hooked.shrink == .afterIdle(.milliseconds(500)) && hooked.maxLifetime == .seconds(3600))
        #expect(
            policy.validationBypass == nil && policy.codelTarget == nil && policy.connectConcurrency == 4)
        let endless = "password \"x\" pool_reset_timeout_ms 0"
        #expect(
            try Self.definition(Self.snapshot(Self.settings(route: endless))).policy.recycleTimeout == nil)
        let plain = try Self.definition(Self.snapshot(Self.settings())).policy
        #expect(plain.minBackoff == .milliseconds(20) && plain.maxBackoff == .seconds(1))
    }

    @Test func whatIsStillTrueIsKept() throws {
        let file = "hosts_file \"/nowhere/hosts\""
        let first = try Self.snapshot(Self.settings(top: "readahead 64kb", storage: file))
        let second = try Self.snapshot(
            Self.settings(
                top: "readahead 128kb nodelay no", storage: file, route: "password \"secret\" pool_size 3"),
            previous: first)
        let (old, new) = (try Self.definition(first), try Self.definition(second))
        #expect(old !== new && new.settings.poolSize == 3 && new.policy.maxSlots == 3)
        #expect(
            old.authentication.verifier != nil && old.authentication.verifier == new.authentication.verifier)
        #expect(Self.shareResolver(old, new))
        #expect(first.mockSecret == second.mockSecret && first.mockSecret.count == 32)
        // Workers keep their buffers.
        #expect(second.bufferSize == 65536 && second.serverFrames.heldLimit == 65536)
        #expect(old.tcp.noDelay && !new.tcp.noDelay && !second.tcp.noDelay)
    }

    private static func shared(replica: String) throws -> Settings {
        try ConfigurationFile.parse(
            text: """
                listen { host "*" port 7000 }
                resolver "primary" { type "static" host "10.0.0.1" }
                resolver "replica" { type "static" host "\(replica)" }
                resolver "both" { type "composite" resolvers "primary, replica" }
                storage "w" { type "remote" resolver "primary" }
                storage "also" { type "remote" resolver "primary" }
                storage "r" { type "remote" resolver "both" }
                database "w" { user default { authentication "none" storage "w" pool "session" } }
                database "also" { user default { authentication "none" storage "also" pool "session" } }
                database "r" { user default { authentication "none" storage "r" pool "session" } }
                """
        ).settings
    }

    @Test func aResolverIsOneForAllThatNameIt() throws {
        let first = try Self.snapshot(Self.shared(replica: "10.0.0.2"))
        func route(_ database: String, of snapshot: Snapshot) throws -> RouteDefinition {
            try #require(snapshot.route(database: database, user: "bob"))
        }
        #expect(try Self.shareResolver(route("w", of: first), route("also", of: first)))
        #expect(try !Self.shareResolver(route("w", of: first), route("r", of: first)))
        #expect(first.resolvers.all.map(\.settings.name) == ["both", "primary", "replica"])
        let same = try Self.snapshot(Self.shared(replica: "10.0.0.2"), previous: first)
        let changed = try Self.snapshot(Self.shared(replica: "10.0.0.3"), previous: same)
        for database in ["w", "also"] {
            #expect(try route(database, of: changed) === route(database, of: first))
        }
        #expect(try route("r", of: same) === route("r", of: first))
        // What a composite is made of is a part of how the servers are found.
        let (old, new) = (try route("r", of: same), try route("r", of: changed))
        #expect(old !== new && old.access != new.access && !Self.shareResolver(old, new))
        #expect(first.resolvers.all[1] === changed.resolvers.all[1])
        #expect(first.resolvers.all[2] !== changed.resolvers.all[2])
    }

    @Test func aRouteThatSaysTheSameIsTheSame() throws {
        let first = try Self.snapshot(Self.settings())
        let second = try Self.snapshot(Self.settings(top: "client_max 7"), previous: first)
        #expect(try Self.definition(first) === Self.definition(second))
        // What is said at the top of the file can be of the route, too.
        let third = try Self.snapshot(Self.settings(top: "backend_connect_timeout_ms 7"), previous: second)
        #expect(try Self.definition(third) !== Self.definition(second))
        #expect(try Self.definition(third).policy.connectTimeout == .milliseconds(7))
    }

    @Test(arguments: [
        ("pool_size 3", true), ("pool_timeout 3", true), ("query_timeout 3", true),
        ("server_fast_close yes", true), ("server_round_robin yes", true), ("connect_query \"a\"", false),
        ("server_check_query \"a\"", false),
        ("server_reset_query \"a\"", false), ("client_max 3", true), ("pool_discard no", true),
        ("log_query yes", true), ("options { \"work_mem\" \"1MB\" }", true),
        ("storage_password \"x\"", false),
        ("storage_user \"x\"", false), ("storage_db \"x\"", false), ("pool_rollback no", false),
        ("backend_startup_options { \"jit\" \"off\" }", false),
    ])
    func serversStayUnlessTheyAreSpokenToInAnotherWay(_ directive: String, _ keepsServers: Bool) throws {
        let first = try Self.snapshot(Self.settings())
        let next = try Self.snapshot(
            Self.settings(route: "password \"secret\" \(directive)"), previous: first)
        let (old, new) = (try Self.definition(first), try Self.definition(next))
        #expect(old !== new && (old.access == new.access) == keepsServers)
    }

    @Test func howManyThereMayBeSaysNothingOfHowTheyAreReached() throws {
        let first = try Self.snapshot(Self.settings())
        let next = try Self.snapshot(
            Self.settings(storage: "host \"127.0.0.1\" max_connections 5"), previous: first)
        let (old, new) = (try Self.definition(first), try Self.definition(next))
        #expect(old !== new && old.access == new.access)
        let limits = new.serverLimits.all(database: "shop", user: "bob")
        #expect(limits.map(\.limit) == [5] && limits[0].group.description.hasPrefix("storage "))
    }

    @Test func otherServersAreOthersThoughTheirStorageHasTheSameName() throws {
        let first = try Self.snapshot(Self.settings())
        let next = try Self.snapshot(Self.settings(storage: "host \"127.0.0.2\""), previous: first)
        #expect(try Self.definition(first).access != Self.definition(next).access)
    }

    @Test func whatChangedIsMadeAnew() throws {
        let first = try Self.snapshot(Self.settings(storage: "hosts_file \"/nowhere/hosts\""))
        let second = try Self.snapshot(
            Self.settings(storage: "hosts_file \"/nowhere/else\"", route: "password \"other\""),
            previous: first)
        let (old, new) = (try Self.definition(first), try Self.definition(second))
        #expect(
            old.authentication.verifier != new.authentication.verifier && new.authentication.verifier != nil)
        #expect(!Self.shareResolver(old, new))
    }

    @Test func aBufferHoldsTheLongestMessageThatIsKeptWhole() throws {
        let snapshot = try Self.snapshot(Self.settings(top: "readahead 4096"))
        #expect(snapshot.bufferSize >= snapshot.serverFrames.smallLimit)
        #expect(snapshot.bufferSize >= snapshot.clientFrames.smallLimit)
        #expect(snapshot.serverFrames.heldLimit == snapshot.bufferSize)
    }

    @Test func everyAddressMeansBothFamiliesAndOneOfThemMayBeMissing() throws {
        let listener = try #require(try Self.snapshot(Self.settings()).listeners.first)
        let addresses = try listener.socketAddresses().map(\.address)
        #expect(
            addresses == [SocketAddress(.ip("0.0.0.0", port: 7000)), SocketAddress(.ip("::", port: 7000))])
        #expect(addresses.map(listener.isOptional) == [false, true])
    }

    @Test func aUnixSocketHasItsMode() throws {
        var settings = try Self.settings(top: "unix_socket_dir \"/tmp\" unix_socket_mode \"0640\"")
        settings.listeners[0].host = nil
        let listener = try #require(try Self.snapshot(settings).listeners.first)
        let addresses = try listener.socketAddresses()
        #expect(addresses.map(\.address) == [SocketAddress(.unix(path: "/tmp/.s.PGSQL.7000"))])
        #expect(addresses.map(\.mode) == [0o640])
    }

    private static func listener(_ mode: String, key: String = "server.key") throws -> Settings {
        let certificates = try TestCertificates.shared.get()
        let text = """
            unix_socket_dir "/tmp" unix_socket_mode "0600"
            listen { host "*" tls "\(mode)" tls_cert_file "\(certificates.path("server.crt"))"
                     tls_key_file "\(certificates.path(key))" tls_ca_file "\(certificates.path("ca.crt"))" }
            storage "self" { type "local" }
            database "console" { user "admin" { authentication "none" storage "self" } }
            """
        return try ConfigurationFile.parse(text: text).settings
    }

    @Test(arguments: [
        ("disable", StartupMachine.Encryption.none), ("allow", .offered), ("prefer", .offered),
        ("require", .required), ("verify_ca", .required), ("verify_full", .required),
    ])
    func aListenerSaysWhatItsClientsNeed(_ mode: String, _ encryption: StartupMachine.Encryption) throws {
        let settings = try Self.listener(mode)
        let listener = try #require(try Self.snapshot(settings).listeners.first)
        #expect(listener.encryption == encryption && (listener.tls == nil) == (encryption == .none))
        // Nobody is between the ends of a Unix socket.
        var local = settings
        local.listeners[0].host = nil
        #expect(try Self.snapshot(local).listeners.first?.encryption == StartupMachine.Encryption.none)
    }

    @Test func aNewSnapshotReadsCertificatesAgain() throws {
        let settings = try Self.listener("require")
        let first = try Self.snapshot(settings)
        let second = try Self.snapshot(settings, previous: first)
        let contexts = [first, second].map { $0.listeners[0].tls }
        #expect(contexts.allSatisfy { $0 != nil } && contexts[0] !== contexts[1])
    }

    @Test func aStorageSaysHowItsServersAreSpokenTo() throws {
        let plain = try Self.snapshot(Self.settings())
        #expect(try Self.definition(plain).encryption == nil)
        let certificates = try TestCertificates.shared.get()
        let directory = try TemporaryDirectory()
        let ca = directory.path("ca.crt")
        try directory.write(
            try String(contentsOfFile: certificates.path("ca.crt"), encoding: .utf8), to: "ca.crt")
        let settings = try Self.settings(
            storage: "host \"127.0.0.1\" tls \"verify_full\" tls_ca_file \"\(ca)\"")
        func context(_ snapshot: Snapshot) throws -> TLSContext {
            try #require(try Self.definition(snapshot).encryption?.context)
        }
        let first = try Self.snapshot(settings, previous: plain)
        #expect(try context(first).options.mode == .verifyFull)
        // As long as its files are the same, so that its routes keep their servers.
        let second = try Self.snapshot(settings, previous: first)
        #expect(try context(second) === context(first))
        try directory.write(
            try String(contentsOfFile: certificates.path("other.crt"), encoding: .utf8), to: "ca.crt")
        let third = try Self.snapshot(settings, previous: second)
        #expect(try context(third) !== context(second))
        let broken = try Self.settings(
            storage: "host \"127.0.0.1\" tls \"verify_ca\" tls_ca_file \"/nowhere\"")
        let error = #expect(throws: SnapshotError.self) { try Self.snapshot(broken) }
        #expect(error?.description.hasPrefix("storage \"pg\": tls: cannot use the CA file /nowhere") == true)
    }

    @Test func aKeyThatDoesNotFitIsNamed() throws {
        let settings = try Self.listener("require", key: "client.key")
        let error = #expect(throws: SnapshotError.self) { try Self.snapshot(settings) }
        #expect(error?.description.contains("client.key") == true)
    }

    @Test func clientsOfTheConsoleAreCountedOnAfterAReload() throws {
        let text = """
            listen { host "*" }
            storage "self" { type "local" }
            database "console" { user "admin" { authentication "none" storage "self" pool "session" } }
            """
        let settings = try ConfigurationFile.parse(text: text).settings
        let first = try Self.snapshot(settings)
        let console = try #require(first.route(database: "console", user: "admin")?.console)
        #expect(console.enter(limit: nil))
        let second = try Self.snapshot(settings, previous: first)
        #expect(first.consoleClients == 1 && second.consoleClients == 1)
        #expect(second.route(database: "console", user: "admin")?.console === console)
    }
}
