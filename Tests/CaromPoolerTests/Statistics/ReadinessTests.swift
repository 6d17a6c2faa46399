// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromPooler

@Suite struct ReadinessTests {
    private func statistics(_ states: [PoolStats.State]) -> PoolerStatistics {
        Sample.statistics(
            states.enumerated().map { index, state in
                var pool = Sample.pool("db\(index).app")
                pool.state = state
                return Sample.route("db\(index)", "app", pool)
            })
    }

    @Test func aPoolerIsReadyUnlessARouteHasNoServerOrItIsStopping() {
        #expect(Readiness(statistics([]), isStopping: false).text == "ready\n")
        #expect(Readiness(statistics([.running, .suspended]), isStopping: false).isReady)
        let dead = Readiness(statistics([.running, .failed]), isStopping: false)
        #expect(!dead.isReady && dead.text == "db1.app: every server is dead\n")
        let stopping = Readiness(statistics([.failed]), isStopping: true)
        #expect(stopping.text == "the pooler is stopping\ndb0.app: every server is dead\n")
    }
}
