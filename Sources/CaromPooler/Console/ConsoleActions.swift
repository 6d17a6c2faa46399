// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

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
    private let reload: @Sendable (@escaping @Sendable (ReloadOutcome) -> Void) -> Void

    /// - Parameter reload: has the configuration read again, and tells what came of it.
    init(_ router: Router, reload: @escaping @Sendable (@escaping @Sendable (ReloadOutcome) -> Void) -> Void)
    {
        self.router = router
        self.reload = reload
    }

    /// These have the clients.
    func use(_ workers: [Worker]) { held.withLock { $0 = workers.map { Held(worker: $0) } } }

    private var workers: [Worker] { held.withLock { $0.map(\.worker) } }

    func perform(_ job: ConsoleJob, _ done: @escaping @Sendable (ConsoleResult) -> Void) {
        switch job {
        case .reload:
            reload { outcome in
                switch outcome {
                case .done: done(.done(tag: "RELOAD"))
                case .failed(let reason): done(.failed(ConsoleError(.configurationFileError, reason)))
                }
            }
        case .list(let table): list(table, done)
        case .statements: done(.table(ShowPreparedStatements.rows(router.all)))
        case .kill(let id): kill(id, done)
        case .shutdown(let isGraceful):
            // As an operator's signal does it, with all that follows from one.
            Glibc.kill(getpid(), isGraceful ? SIGTERM : SIGQUIT)
            done(.done(tag: "SHUTDOWN"))
        }
    }

    /// Asks each worker; the last one to answer tells.
    private func list(_ table: ConsoleTable, _ done: @escaping @Sendable (ConsoleResult) -> Void) {
        let (workers, router) = (workers, router)
        let found = Found(workers.count)
        for worker in workers {
            worker.reactor.call {
                if let all = found.add(worker.sessions.compactMap(\.entry)) {
                    done(.table(table.rows(ConsoleConnections(all, router.all))))
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
