// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromReactor
import Synchronization

/// Asks the servers of storages with a `watchdog` how far they lag, each on a connection of its own, and tells the pools: the shell
/// around ``ReplicaLag``.
struct LagFollower {
    let router: Router
    let log: PoolerLog

    /// A server, and how it is asked. Of any route of its storage; they reach it alike.
    private struct Watched: Sendable {
        let storage: String
        let backend: Backend
        let watchdog: WatchdogSettings
        let definition: RouteDefinition

        /// What is asked of whom; another task asks when this changes.
        struct Key: Hashable {
            let storage: String
            let backend: BackendID
            let watchdog: WatchdogSettings
            let encryption: ObjectIdentifier?
        }

        var key: Key {
            Key(
                storage: storage, backend: backend.id, watchdog: watchdog,
                encryption: definition.encryption.map { ObjectIdentifier($0.context) })
        }
    }

    /// Those that are to be watched; the task of one that is no longer among them ends.
    private final class Wanted: Sendable {
        let keys = Mutex<Set<Watched.Key>>([])
    }

    /// Follows until cancelled.
    func run(on reactor: Reactor) async {
        let wanted = Wanted()
        await withDiscardingTaskGroup { group in
            while await reactor.sleep(for: router.hasWatchdogs ? Self.interval : Self.idlePause) {
                let found = watched()
                let keys = Set(found.keys)
                let news = wanted.keys.withLock { known in
                    defer { known = keys }
                    return keys.subtracting(known)
                }
                for key in news {
                    guard let server = found[key] else { continue }
                    group.addTask(executorPreference: reactor) {
                        await self.follow(server, while: wanted, on: reactor)
                    }
                }
            }
        }
    }

    /// How soon a server is watched that is new.
    private static let interval = Duration.milliseconds(250)
    /// How soon the first watchdog of a configuration that is read again begins.
    private static let idlePause = Duration.seconds(1)
    /// How often one that is lost is tried again, for it gets no clients until it has answered.
    private static let retryPause = Duration.milliseconds(250)

    /// The servers of live routes whose storage has a watchdog.
    private func watched() -> [Watched.Key: Watched] {
        var found: [Watched.Key: Watched] = [:]
        for route in router.all {
            guard let watchdog = route.definition.watchdog else { continue }
            for backend in route.pool.stats.backends where backend.state != .draining {
                let server = Watched(
                    storage: route.settings.storage, backend: backend.backend, watchdog: watchdog,
                    definition: route.definition)
                found[server.key] = server
            }
        }
        return found
    }

    private func follow(_ server: Watched, while wanted: Wanted, on reactor: Reactor) async {
        let connector = connector(for: server, on: reactor)
        let question = LagQuestion(
            query: server.watchdog.query, limit: server.definition.policy.healthTimeout)
        var (connection, trouble): (PostgresConnection?, String?)
        var pause: Duration
        repeat {
            var isLost = false
            do throws(PostgresError) {
                let reading = try await ask(question, &connection, of: server, connector)
                router.lags.change(server.backend.id, of: server.storage) { $0.note(reading, at: .now) }
                if trouble != nil { log.info("watchdog: it is answered again", in: context(server)) }
                trouble = nil
            } catch {
                isLost = error.meansLoss
                if isLost { router.lags.change(server.backend.id, of: server.storage) { $0.lose() } }
                let text = "\(error)"
                if text != trouble { log.error("watchdog: \(text)", in: context(server)) }
                trouble = text
            }
            tell(server.storage)
            pause = isLost ? min(Self.retryPause, server.watchdog.interval) : server.watchdog.interval
        } while await reactor.sleep(for: pause) && wanted.keys.withLock { $0.contains(server.key) }
        if let connection { await connector.close(connection) }
        router.lags.forget(server.backend.id, of: server.storage)
        tell(server.storage)
    }

    /// Asks once. What ended the connection may be nothing but its end: then on a new one.
    private func ask(
        _ question: LagQuestion, _ connection: inout PostgresConnection?, of server: Watched,
        _ connector: PostgresConnector
    ) async throws(PostgresError) -> LagReading {
        if let known = connection {
            do throws(PostgresError) { return try await question.ask(known) } catch {
                if error.leavesConnection { throw error }
                connection = nil
                await connector.close(known)
                if !error.meansLoss { throw error }
            }
        }
        let made = try await connect(to: server, connector)
        do throws(PostgresError) {
            let reading = try await question.ask(made)
            connection = made
            return reading
        } catch {
            await connector.close(made)
            throw error
        }
    }

    private func connect(to server: Watched, _ connector: PostgresConnector) async throws(PostgresError)
        -> PostgresConnection
    {
        let limit = server.definition.policy.connectTimeout
        do {
            return try await connector.connect(
                to: server.backend,
                context: ConnectContext(
                    affinity: nil, slot: SlotID(index: 0, generation: 0), attempt: 1,
                    deadline: SystemPoolClock().now.advanced(by: limit), timeout: limit))
        } catch {
            throw error as? PostgresError ?? PostgresError(.connection, "\(error)")
        }
    }

    private func connector(for server: Watched, on reactor: Reactor) -> PostgresConnector {
        let watchdog = server.watchdog
        var configuration = PostgresConfiguration(
            user: watchdog.user, database: watchdog.database, password: watchdog.password?.reveal())
        // A query that is not qualified means what PostgreSQL itself has by these names (CVE-2025-12819).
        configuration.parameters = [
            "search_path": "pg_catalog, pg_temp", "application_name": "carom watchdog",
        ]
        return PostgresConnector(
            configuration, reactors: [reactor], tcp: server.definition.tcp,
            encryption: server.definition.encryption, observer: nil)
    }

    /// Routes hear of it whose clients do not take any lag, or did not before a reload.
    private func tell(_ storage: String) {
        for route in router.all where route.settings.storage == storage { router.lags.apply(to: route) }
    }

    private func context(_ server: Watched) -> LogContext {
        var context = LogContext(.server)
        context.user = server.watchdog.user
        context.database = server.watchdog.database
        context.serverHost = server.backend.address.description
        return context
    }
}

extension PostgresError {
    /// The server is gone, or goes.
    fileprivate var meansLoss: Bool {
        code == .connection || code == .server && sqlState?.hasPrefix("57P") == true
    }

    /// The connection can be used again, as a query's errors have it.
    fileprivate var leavesConnection: Bool {
        switch code {
        case .server: sqlState?.hasPrefix("57P") != true
        case .tooLarge, .decoding, .invalidRequest: true
        default: false
        }
    }
}
