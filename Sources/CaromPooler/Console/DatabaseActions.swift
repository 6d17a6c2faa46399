// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgresProtocol

/// Does what consoles want done with databases. The texts of errors are PgBouncer's.
struct DatabaseActions: Sendable {
    let router: Router
    let snapshot: @Sendable () -> Snapshot

    /// What is still to come before the answer.
    enum Outcome {
        case done
        /// It is done when this has become true.
        case waiting(@Sendable () -> Bool)
        /// Clients are ended first.
        case ending(Set<String>)
    }

    func perform(_ action: DatabaseAction, _ database: String?) throws(ConsoleError) -> Outcome {
        if let database { try check(database, action) }
        let router = router
        do throws(DatabaseSwitches.Refusal) {
            switch action {
            case .pause:
                try router.change { (switches) throws(DatabaseSwitches.Refusal) in
                    try switches.pause(database)
                }
                return .waiting {
                    // A resume by somebody else ends it, too.
                    !router.switches.isPaused(database ?? "")
                        || Self.routes(router, database).allSatisfy { $0.pool.stats.slots == 0 }
                }
            case .resume:
                try router.change { (switches) throws(DatabaseSwitches.Refusal) in
                    try switches.resume(database)
                }
            case .kill:
                let names = database.map { [$0] } ?? Set(router.all.map(\.clientDatabase))
                try router.change { (switches) throws(DatabaseSwitches.Refusal) in
                    try switches.pauseEach(names)
                }
                return .ending(names)
            case .disable: router.change { $0.disable(database ?? "") }
            case .enable: router.change { $0.enable(database ?? "") }
            case .reconnect: for route in Self.routes(router, database) { route.pool.retireAll() }
            case .waitClose:
                return .waiting { Self.routes(router, database).allSatisfy { !Self.isClosing($0) } }
            }
        } catch {
            throw Self.error(error)
        }
        return .done
    }

    private static func routes(_ router: Router, _ database: String?) -> [Route] {
        (router.all + router.dedicated).filter { database == nil || $0.clientDatabase == database }
    }

    private static func isClosing(_ route: Route) -> Bool {
        route.pool.stats.backends.contains { $0.closing > 0 }
            || route.pool.connections.contains(where: \.isLeaving)
    }

    /// A database that clients can come by, and not the console.
    private func check(_ database: String, _ action: DatabaseAction) throws(ConsoleError) {
        let patterns = snapshot().settings.routes.map(\.pattern.database)
        if snapshot().consoleDatabases.contains(database), patterns.contains(.exact(database)) {
            throw ConsoleError(
                .objectNotInPrerequisiteState, "cannot \(action.rawValue.lowercased()) admin db: \(database)")
        }
        if patterns.contains(.exact(database)) || patterns.contains(.anything) { return }
        throw ConsoleError(.invalidCatalogName, "no such database: \(database)")
    }

    static func error(_ refusal: DatabaseSwitches.Refusal) -> ConsoleError {
        let text =
            switch refusal {
            case .alreadyPaused: "already suspended/paused"
            case .notPaused: "pooler is not paused/suspended"
            case .isNotPaused(let database): "database \(database) is not paused"
            }
        return ConsoleError(.objectNotInPrerequisiteState, text)
    }
}
