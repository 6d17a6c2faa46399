// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// Whether clients can be served, for a load balancer or an orchestrator that asks (`/readyz`).
struct Readiness: Equatable, Sendable {
    /// Why not; empty if they can.
    let reasons: [String]

    var isReady: Bool { reasons.isEmpty }

    /// A route that nobody has used is not known to be dead.
    init(_ statistics: PoolerStatistics, isStopping: Bool) {
        var reasons = isStopping ? ["the pooler is stopping"] : []
        for route in statistics.routes where route.pool.state == .failed {
            reasons.append("\(route.database).\(route.user): every server is dead")
        }
        self.reasons = reasons
    }

    /// `ready`, or a line for each reason.
    var text: String { (isReady ? ["ready"] : reasons).map { $0 + "\n" }.joined() }
}
