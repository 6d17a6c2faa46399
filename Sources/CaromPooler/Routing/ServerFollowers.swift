// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor

/// What watches servers beside their pools: those that drain, that answer nothing, that lag.
struct ServerFollowers {
    let router: Router
    let workers: [Worker]
    let log: PoolerLog

    /// Follows until cancelled.
    func run(on reactor: Reactor) async {
        await withDiscardingTaskGroup { group in
            group.addTask(executorPreference: reactor) {
                await DrainFollower(router: router, workers: workers).run(on: reactor)
            }
            group.addTask(executorPreference: reactor) {
                await SilenceFollower(router: router, workers: workers, log: log).run(on: reactor)
            }
            group.addTask(executorPreference: reactor) {
                await LagFollower(router: router, log: log).run(on: reactor)
            }
        }
    }
}
