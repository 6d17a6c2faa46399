// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgresProtocol
import CaromReactor
import Glibc
import Synchronization

/// Does what consoles ask for and may take a while; ``ConsoleJobs``.
final class ConsoleActions: Sendable {
    // Unowned: workers hold what their consoles may do, and live as long as their pooler. A weak reference would make each retain of a
    // worker, on the path of every message, several times as dear.
    private struct Held { unowned let worker: Worker }

    private let held = Mutex<[Held]>([])
    private let router: Router
    private let snapshot: @Sendable () -> Snapshot
    private let closeDoors: @Sendable () -> Void
    private let reload: @Sendable (LiveChange?, @escaping @Sendable (ReloadOutcome) -> Void) -> Void

    /// - Parameters:
    ///   - snapshot: what is configured now.
    ///   - closeDoors: has no more clients accepted.
    ///   - reload: has the configuration read again, or a setting changed, and tells what came of it.
    init(
        _ router: Router, snapshot: @escaping @Sendable () -> Snapshot,
        closeDoors: @escaping @Sendable () -> Void,
        reload: @escaping @Sendable (LiveChange?, @escaping @Sendable (ReloadOutcome) -> Void) -> Void
    ) {
        self.router = router
        self.snapshot = snapshot
        self.closeDoors = closeDoors
        self.reload = reload
    }

    /// These have the clients.
    func use(_ workers: [Worker]) { held.withLock { $0 = workers.map { Held(worker: $0) } } }

    private var workers: [Worker] { held.withLock { $0.map(\.worker) } }

    func perform(_ job: ConsoleJob, _ done: @escaping @Sendable (ConsoleResult) -> Void) {
        switch job {
        case .reload: reload(nil, "RELOAD", done)
        case .set(let change): reload(change, "SET", done)
        case .list(let table): list(table, done)
        case .statements: done(.table(ShowPreparedStatements.rows(router.all)))
        case .kill(let id): kill(id, done)
        case .database(let action, let database): perform(action, database, done)
        case .suspend: suspend(done)
        case .shutdown(let mode): shutDown(mode, done)
        }
    }

    private func reload(
        _ change: LiveChange?, _ tag: String, _ done: @escaping @Sendable (ConsoleResult) -> Void
    ) {
        reload(change) { outcome in
            switch outcome {
            case .done: done(.done(tag: tag))
            case .failed(let reason): done(.failed(ConsoleError(.configurationFileError, reason)))
            }
        }
    }

    // MARK: Databases

    private func perform(
        _ action: DatabaseAction, _ database: String?, _ done: @escaping @Sendable (ConsoleResult) -> Void
    ) {
        let actions = DatabaseActions(router: router, snapshot: snapshot)
        let told = ConsoleResult.done(tag: action.rawValue)
        do throws(ConsoleError) {
            switch try actions.perform(action, database) {
            case .done where action == .resume && database == nil: followSuspension { done(told) }
            case .done: done(told)
            case .waiting(let isDone): watch(until: isDone) { done(told) }
            case .ending(let names): endClients(of: names) { done(told) }
            }
        } catch {
            done(.failed(error))
        }
    }

    private func watch(until isDone: @escaping @Sendable () -> Bool, _ done: @escaping @Sendable () -> Void) {
        guard let reactor = workers.first?.reactor else { return done() }
        reactor.call { ConsoleWatch.begin(on: reactor, until: isDone, done) }
    }

    /// Ends the clients of databases, which are paused, and tells when the last server is closed.
    private func endClients(of databases: Set<String>, _ done: @escaping @Sendable () -> Void) {
        for worker in workers {
            worker.reactor.call {
                for session in worker.sessions where session.isOnServers(of: databases) { session.kill() }
            }
        }
        watch(
            until: { [router] in
                (router.all + router.dedicated).allSatisfy {
                    !databases.contains($0.clientDatabase) || $0.pool.stats.slots == 0
                }
            }, done)
    }

    // MARK: Suspension

    private func suspend(_ done: @escaping @Sendable (ConsoleResult) -> Void) {
        do throws(DatabaseSwitches.Refusal) {
            try router.change { (switches) throws(DatabaseSwitches.Refusal) in try switches.suspend() }
        } catch {
            return done(.failed(DatabaseActions.error(error)))
        }
        followSuspension { done(.done(tag: "SUSPEND")) }
    }

    /// Has the workers suspend or resume, and tells when the last of them has nothing left to write.
    private func followSuspension(_ done: @escaping @Sendable () -> Void) {
        let deadline = snapshot().settings.suspendTimeout.map { .now + $0 } ?? Deadline.never
        let workers = workers
        let found = Found(workers.count)
        for worker in workers {
            worker.reactor.call {
                worker.followSuspension(until: deadline) { if found.add([]) != nil { done() } }
            }
        }
    }

    // MARK: The end

    private func shutDown(_ mode: ShutdownMode, _ done: @escaping @Sendable (ConsoleResult) -> Void) {
        // In front of the signal: the answer is on its way before anything ends.
        done(.done(tag: "SHUTDOWN"))
        // As an operator's signal does it, with all that follows from one.
        switch mode {
        case .atOnce: Glibc.kill(getpid(), SIGQUIT)
        case .afterTransactions: Glibc.kill(getpid(), SIGTERM)
        case .afterClients:
            closeDoors()
            let (workers, snapshot) = (workers, snapshot)
            // Nobody waits for those who only watch.
            watch(until: { workers.reduce(0) { $0 + $1.clientCount } <= snapshot().consoleClients }) {
                _ = Glibc.kill(getpid(), SIGTERM)
            }
        }
    }

    // MARK: Clients

    /// Asks each worker; the last one to answer tells.
    private func list(_ table: ConsoleTable, _ done: @escaping @Sendable (ConsoleResult) -> Void) {
        let (workers, router) = (workers, router)
        let found = Found(workers.count)
        for worker in workers {
            worker.reactor.call {
                if let all = found.add(worker.sessions.compactMap(\.entry)) {
                    done(.table(table.rows(ConsoleConnections(all, router.all + router.dedicated))))
                }
            }
        }
    }

    /// What workers have answered so far.
    private final class Found: Sendable {
        private let state: Mutex<(missing: Int, clients: [ConsoleClient])>

        init(_ workers: Int) { state = Mutex((workers, [])) }

        /// - Returns: all of them, if these were the last.
        func add(_ clients: [ConsoleClient]) -> [ConsoleClient]? {
            state.withLock { state in
                state.missing -= 1
                state.clients += clients
                return state.missing == 0 ? state.clients : nil
            }
        }
    }

    private func kill(_ id: Int, _ done: @escaping @Sendable (ConsoleResult) -> Void) {
        let (index, workers) = (ConsoleClient.worker(ofID: id), workers)
        guard workers.indices.contains(index) else { return done(.failed(Self.noClient(id))) }
        let worker = workers[index]
        worker.reactor.call {
            let found = worker.sessions.filter { session in
                guard ConsoleClient.id(ofOwner: session.owner) == id, let entry = session.entry else {
                    return false
                }
                return entry.state != .login
            }
            guard found.count == 1 else { return done(.failed(Self.noClient(id, count: found.count))) }
            // First the answer: it may be the console's own client.
            done(.done(tag: "KILL_CLIENT"))
            found[0].kill()
        }
    }

    private static func noClient(_ id: Int, count: Int = 0) -> ConsoleError {
        ConsoleError(
            .undefinedObject,
            count == 0 ? "there is no client \(id)" : "\(count) clients have the number \(id)")
    }
}
