// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromReactor

/// Decides when clients may no longer keep servers that drain. A value without a clock.
struct DrainWatch {
    /// A backend of one pool.
    struct Place: Hashable {
        let pool: ObjectIdentifier
        let backend: BackendID
    }

    private var since: [Place: Deadline] = [:]

    /// Takes in which backends drain now, with how long clients may keep their servers.
    ///
    /// - Returns: those for which that is over. They are due again after as long again.
    mutating func look(_ draining: [Place: Duration], at now: Deadline) -> Set<Place> {
        since = since.filter { draining[$0.key] != nil }
        var due: Set<Place> = []
        for (place, grace) in draining {
            let start = since[place] ?? now
            let isOver = start + grace <= now
            since[place] = isOver ? now : start
            if isOver { due.insert(place) }
        }
        return due
    }
}

/// Has clients let go of servers that drain, in routes with a `server_drain_timeout`: the shell around ``DrainWatch``.
struct DrainFollower {
    let router: Router
    let workers: [Worker]

    /// Follows until cancelled.
    func run(on reactor: Reactor) async {
        var watch = DrainWatch()
        while await reactor.sleep(for: Self.interval) {
            var draining: [DrainWatch.Place: Duration] = [:]
            for route in router.all {
                guard let grace = route.settings.hooks.drainTimeout else { continue }
                let pool = ObjectIdentifier(route.pool)
                for backend in route.pool.stats.backends where backend.state == .draining {
                    draining[DrainWatch.Place(pool: pool, backend: backend.backend.id)] = grace
                }
            }
            let due = Set(watch.look(draining, at: .now).map(\.pool))
            if due.isEmpty { continue }
            for worker in workers {
                worker.reactor.call {
                    for case let relay as Relay in worker.sessions.map(\.stage)
                    where due.contains(ObjectIdentifier(relay.route.pool)) {
                        relay.obey(.leave)
                    }
                }
            }
        }
    }

    private static let interval = Duration.milliseconds(500)
}
