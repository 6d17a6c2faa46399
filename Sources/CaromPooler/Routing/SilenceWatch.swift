// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromReactor
import CaromTCP

/// Decides which servers answer nothing while their siblings do. A value without sockets.
struct SilenceWatch {
    /// What each server that was asked has said.
    private var found: [BackendID: ServerPresence] = [:]

    mutating func note(_ backend: BackendID, _ presence: ServerPresence) { found[backend] = presence }

    /// Those of a pool that are silent. None if no other of that pool answers: then it may be us, and there is nowhere to go.
    func silent(of backends: some Sequence<BackendID>) -> Set<BackendID> {
        var (silent, isAnyHeard): (Set<BackendID>, Bool) = ([], false)
        for backend in backends {
            switch found[backend] {
            case .answering: isAnyHeard = true
            case .silent: silent.insert(backend)
            case .unreachable, nil: break
            }
        }
        return isAnyHeard ? silent : []
    }
}

/// Gives up requests at servers that answer nothing, for storages with `server_check_busy`: the shell around ``SilenceWatch``.
struct SilenceFollower {
    let router: Router
    let workers: [Worker]
    let log: PoolerLog

    /// What one question needs.
    private struct Question: Sendable {
        let backend: Backend
        let connector: PostgresConnector
        let limit: Duration
    }

    /// Follows until cancelled.
    func run(on reactor: Reactor) async {
        var pause = Self.idlePause
        while await reactor.sleep(for: pause) {
            let routes = router.all.filter(\.definition.checksBusy)
            pause = routes.map(\.pool.watchInterval).min() ?? Self.idlePause
            // A server that nobody waits for is looked at by its pool.
            let busy = routes.filter { $0.pool.stats.backends.contains { $0.claimed > 0 } }
            if busy.isEmpty { continue }
            let watch = await ask(questions(of: busy), on: reactor)
            for route in busy {
                let silent = watch.silent(of: route.pool.stats.backends.map(\.backend.id))
                for backend in silent { giveUp(backend, of: route) }
            }
        }
    }

    private static let idlePause = Duration.seconds(1)

    /// Pools share servers; each is asked once.
    private func questions(of routes: [Route]) -> [Question] {
        var questions: [BackendID: Question] = [:]
        for route in routes {
            let limit = route.pool.policy.healthTimeout
            for backend in route.pool.stats.backends where questions[backend.backend.id] == nil {
                questions[backend.backend.id] = Question(
                    backend: backend.backend, connector: route.connector, limit: limit)
            }
        }
        return Array(questions.values)
    }

    private func ask(_ questions: [Question], on reactor: Reactor) async -> SilenceWatch {
        await withTaskGroup(of: (BackendID, ServerPresence).self) { group in
            for question in questions {
                group.addTask(executorPreference: reactor) {
                    let presence = await question.connector.presence(
                        of: question.backend, on: reactor, within: question.limit)
                    return (question.backend.id, presence)
                }
            }
            var watch = SilenceWatch()
            for await (backend, presence) in group { watch.note(backend, presence) }
            return watch
        }
    }

    /// New claims go elsewhere at once, then those that wait for an answer are told.
    private func giveUp(_ backend: BackendID, of route: Route) {
        route.pool.markSilent(backend)
        let pool = ObjectIdentifier(route.pool)
        let reason = "it answers nothing within \(route.pool.policy.healthTimeout), and others do"
        log.error("server \(backend): \(reason)", in: route.logContext(.pool))
        for worker in workers {
            worker.reactor.call {
                for case let relay as Relay in worker.sessions.map(\.stage)
                where ObjectIdentifier(relay.route.pool) == pool && relay.activity == .working {
                    guard let server = relay.report.server?.connection, server.backend.id == backend
                    else { continue }
                    // Nothing is left to be read that would say why.
                    server.state.fail(PostgresError(.timedOut, reason))
                    server.transport.expectBytes()
                    relay.handle(ServerLeg.Token.server)
                }
            }
        }
    }
}

extension Pool {
    /// How often its servers are looked at.
    fileprivate var watchInterval: Duration { policy.watchInterval ?? .seconds(1) }
}
