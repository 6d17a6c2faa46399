// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// Runs the pools of routes.
enum RoutePools {
    /// Runs the pool of every route that is opened, and stops those that are given up, until there are no more events.
    static func run(_ events: AsyncStream<Router.Event>) async {
        await withDiscardingTaskGroup { group in
            for await event in events {
                switch event {
                case .opened(let route): group.addTask { try? await route.pool.run() }
                case .abandoned(let route): group.addTask { await route.pool.stop(grace: .zero) }
                case .inquiryOpened(let pool): group.addTask { try? await pool.run() }
                case .inquiryRetired(let pool): group.addTask { await pool.stop(grace: .seconds(10)) }
                case .retired(let route): group.addTask { await route.pool.stop(grace: drainingTime) }
                }
            }
            group.cancelAll()
        }
    }

    /// As long as it takes: clients of session pooling may stay for days.
    private static let drainingTime = Duration.seconds(10 * 365 * 86_400)
}
