// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromDNS
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import CaromTLS
import Synchronization

/// Everything that is configured, and what follows from it.
///
/// A snapshot never changes: a reload makes another one from new settings, which takes over from the previous one what is
/// still true. Workers hold the current one by reference; a client keeps the ``RouteDefinition`` and the
/// ``ListenerDefinition`` it logged in with.
final class Snapshot: Sendable {
    let settings: Settings
    /// What the settings come from, if that is an ini file of PgBouncer's.
    let ini: IniConfiguration?
    /// In the order of the configuration.
    let listeners: [ListenerDefinition]
    /// Of every TCP connection.
    let tcp: TCPOptions
    /// How descriptors are shared out.
    let descriptors: DescriptorBudget
    /// How often logins may fail; nil without a limit. Each login asks, and a copy of the settings would be dear.
    let failureLimit: FailureLimit?
    /// Limits of the messages that clients send.
    let clientFrames: FrameLimits
    /// Limits of the messages that servers send.
    let serverFrames: FrameLimits
    /// Bytes of a worker's read buffer. A reload does not change it, because workers keep their buffers.
    let bufferSize: Int
    /// Makes up the salts of users that do not exist; the same for the life of the process.
    let mockSecret: [UInt8]
    /// What those go through who may not come.
    private let mocks: MockAuthentication
    /// The same where a line of the `hba_file` says what clients go through.
    private let mocksByMethod: [AuthenticationMethod: MockAuthentication]
    /// Files that say who may come, each once.
    let accessFiles: AccessFiles
    /// Of storages.
    let resolvers: StorageResolvers
    /// Of each storage, by its name; none where servers are spoken to in the open.
    private let encryptions: [String: StorageEncryption]
    private let routes: RouteTable<RouteDefinition>
    private let consoles: [Admission]
    private let queries: [AuthQueryDefinition]
    /// How the roles of users are asked for; nil if nobody is asked.
    let roleQuestion: ServerQuestion?
    /// Those whose pools are there before a client comes.
    let keptRoutes: [RouteDefinition]

    /// - Parameters:
    ///   - ini: what the settings come from, if that is an ini file.
    ///   - previous: the snapshot that this one replaces; `nil` at the start.
    /// - Throws: ``SnapshotError`` when a storage or a route cannot work; the previous snapshot is still good then.
    init(_ settings: Settings, of ini: IniConfiguration? = nil, previous: Snapshot?, log: PoolerLog)
        throws(SnapshotError)
    {
        self.ini = ini
        let cryptography = OpenSSLCryptography()
        let mockSecret = previous?.mockSecret ?? cryptography.randomBytes(Self.mockSecretSize)
        let tcp = TCPOptions(settings)
        let resolvers: StorageResolvers
        do throws(DNSError) {
            resolvers = try StorageResolvers(settings, previous: previous?.resolvers, log: log)
        } catch {
            throw SnapshotError(description: "\(error)")
        }
        let encryptions = try Self.encryptions(of: settings, previous?.encryptions ?? [:])
        var accessFiles: AccessFiles
        do throws(AccessFileError) {
            accessFiles = try AccessFiles(settings, previous: previous?.accessFiles)
        } catch {
            throw SnapshotError(description: "hba_file: \(error)")
        }
        func serverAccess(_ route: RouteSettings) -> ServerAccess {
            let storage = settings.storage(of: route)
            return ServerAccess(
                route, storage, settings.resolvers(of: storage), tcp, encryptions[route.storage]?.server)
        }
        let table = RouteTable(settings.routes.map { ($0.pattern, $0) })
        func question(_ query: UserQuerySettings, named name: String) -> ServerQuestion? {
            table.route(of: query).map { asked in
                ServerQuestion(
                    query, named: name, asked, settings.storage(of: asked),
                    resolver: resolvers[asked.storage],
                    access: serverAccess(asked), tcp: tcp, encryption: encryptions[asked.storage]?.server)
            }
        }
        roleQuestion = settings.roleQuerySettings.flatMap { question($0, named: "hba_role_query") }
        var definitions: [(RoutePattern, RouteDefinition)] = []
        for route in settings.routes.map({ $0.inheriting(settings) }) {
            let policy = Policy(route, settings)
            let clientLimits = ClientLimits(route, settings)
            let serverLimits = ServerLimits(route, settings)
            do throws(PolicyError) { try policy.validate() } catch {
                throw SnapshotError(description: "route \(route.pattern): \(error)")
            }
            for option in route.options where !SettingStatement.isName(option.name) {
                throw SnapshotError(
                    description:
                        "route \(route.pattern): options: \"\(option.name)\" is no name of a setting; expected letters, digits, _ and $, with dots between parts, at most 63 bytes"
                )
            }
            let old = previous?.routes[route.pattern]
            let storage = settings.storage(of: route)
            let encryption = encryptions[route.storage]
            let access = serverAccess(route)
            func secrets(by method: AuthenticationMethod) throws(SnapshotError) -> SecretSources {
                let query = route.authQuerySettings.flatMap { query in
                    question(query, named: "auth_query").map {
                        AuthQueryDefinition(question: $0, method: method, mockSecret: mockSecret)
                    }
                }
                do throws(AccessFileError) {
                    return SecretSources(
                        users: try accessFiles.users(of: route, by: method, mockSecret: mockSecret),
                        query: query)
                } catch {
                    throw SnapshotError(description: "route \(route.pattern): auth_file: \(error)")
                }
            }
            let sources = try secrets(by: route.authentication)
            if let old,
                old.isStillTrue(
                    route, clientLimits, serverLimits, policy, access, storage.watchdog),
                old.sources.users === sources.users, old.asks(sources.query)
            {
                definitions.append((route.pattern, old))
                continue
            }
            let target: RouteDefinition.Target =
                switch storage.type {
                case .remote: .servers(resolvers[route.storage])
                case .local: .console(old?.console ?? Admission())
                }
            var choices: [AuthenticationMethod: SecretSources] = [:]
            for method in route.authentication == .hba ? HostAccess.methods : [] {
                choices[method] = try secrets(by: method)
            }
            let definition = RouteDefinition(
                route, clientLimits: clientLimits, serverLimits: serverLimits, policy: policy, target: target,
                sessionTarget: settings.target(of: route),
                checksBusy: storage.checksBusy, watchdog: storage.watchdog,
                allowsCleartextPassword: storage.allowsCleartextPassword, tcp: tcp,
                encryption: encryption?.server,
                access: access, sources: sources, choices: choices,
                previous: old, mockSecret: mockSecret,
                cryptography: cryptography)
            definitions.append((route.pattern, definition))
        }
        do throws(SystemError) {
            descriptors = DescriptorBudget(settings, limit: try DescriptorLimit.current())
        } catch {
            throw SnapshotError(description: "\(error)")
        }
        self.accessFiles = accessFiles
        self.settings = settings
        failureLimit = FailureLimit(settings)
        self.tcp = tcp
        self.resolvers = resolvers
        self.encryptions = encryptions
        routes = RouteTable(definitions)
        queries = definitions.flatMap(\.1.queries)
        consoles = definitions.compactMap(\.1.console)
        keptRoutes = definitions.map(\.1).filter { $0.keepsPool && $0.console == nil }
        listeners = try settings.listeners.map { (listener) throws(SnapshotError) in
            let address = settings.address(of: listener)
            do throws(TLSError) {
                return try ListenerDefinition(
                    listener, address: address, loginTimeout: settings.clientLoginTimeout)
            } catch {
                throw SnapshotError(description: "listen \(address): tls: \(error)")
            }
        }
        bufferSize = previous?.bufferSize ?? max(settings.readahead, Self.smallestBuffer)
        // A message that is never handed out in pieces must fit into the buffer.
        serverFrames = FrameLimits.server(heldLimit: bufferSize)
        clientFrames = FrameLimits.client(
            holding: [.query, .parse, .bind], heldLimit: min(bufferSize, Self.longestHeld))
        self.mockSecret = mockSecret
        mocks = MockAuthentication(
            definitions.map { ($0.0, $0.1.authentication) }, using: cryptography)
        var mocksByMethod: [AuthenticationMethod: MockAuthentication] = [:]
        if definitions.contains(where: { $0.1.settings.authentication == .hba }) {
            for method in HostAccess.methods {
                mocksByMethod[method] = MockAuthentication(
                    definitions.map { ($0.0, $0.1.authentication(by: method)) }, using: cryptography)
            }
        }
        self.mocksByMethod = mocksByMethod
    }

    private static func encryptions(of settings: Settings, _ previous: [String: StorageEncryption])
        throws(SnapshotError) -> [String: StorageEncryption]
    {
        var found: [String: StorageEncryption] = [:]
        for storage in settings.storages where storage.tls.mode != .disable {
            do throws(TLSError) {
                found[storage.name] = try StorageEncryption(
                    storage, domain: settings.serviceDomain(of: storage),
                    previous: previous[storage.name])
            } catch {
                throw SnapshotError(description: "storage \"\(storage.name)\": tls: \(error)")
            }
        }
        return found
    }

    /// The definition of the route for a client; `nil` when there is none (3D000).
    func route(database: String, user: String) -> RouteDefinition? {
        routes.match(database: database, user: user)
    }

    /// What those go through who may not come.
    ///
    /// - Parameter method: what a line of the `hba_file` says; nil if none does.
    func mocks(by method: AuthenticationMethod?) -> MockAuthentication {
        method.flatMap { mocksByMethod[$0] } ?? mocks
    }

    /// Whether a route asks for secrets in this way.
    func asks(_ query: AuthQueryDefinition) -> Bool { queries.contains { $0.isSame(query) } }

    /// The databases by which clients reach the console.
    var consoleDatabases: [String] {
        let names = settings.routes.filter { settings.storage(of: $0).type == .local }.map { route in
            if case .exact(let name) = route.pattern.database { name } else { "*" }
        }
        return Set(names).sorted()
    }

    /// What may be taken of memory is as the configuration says from now on.
    func limitMemory(ofStatements statements: StatementMemory) {
        statements.use(limit: settings.preparedStatementsMemory)
        BufferMemory.use(limit: settings.memoryLimit)
    }

    /// The definition of exactly this route; `nil` when there is none.
    func definition(of pattern: RoutePattern) -> RouteDefinition? { routes[pattern] }

    /// The host names that storages follow.
    var dnsHosts: [DNSHost] { resolvers.hosts }

    /// Clients at the console, by whichever route.
    var consoleClients: Int { consoles.reduce(0) { $0 + $1.count } }

    /// What comes in small pieces is copied with each of them until it is whole; so longer messages are passed on in pieces.
    private static let longestHeld = 65_536
    /// Room for the longest of the messages that `FrameLimits` calls small: 30,000 bytes.
    private static let smallestBuffer = 32_768
    /// As long as the digest it goes into.
    private static let mockSecretSize = 32
}

/// Why settings that are right in themselves cannot be used.
struct SnapshotError: Error, Equatable, CustomStringConvertible {
    let description: String
}

/// The one place that holds the snapshot of now.
final class CurrentSnapshot: Sendable {
    private let held: Mutex<Snapshot>

    init(_ snapshot: Snapshot) { held = Mutex(snapshot) }

    var value: Snapshot {
        get { held.withLock { $0 } }
        set { held.withLock { $0 = newValue } }
    }
}
