// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Keeps the statistics of the last two regular moments, for averages over the time between them.
final class StatisticsPeriods: Sendable {
    private let moments = Mutex<(before: PoolerStatistics?, after: PoolerStatistics?)>((nil, nil))

    /// The last period; nil as long as the first one lasts.
    var last: (before: PoolerStatistics, after: PoolerStatistics)? {
        moments.withLock { moments in
            guard let before = moments.before, let after = moments.after else { return nil }
            return (before, after)
        }
    }

    /// A period ends, the next one begins.
    func add(_ statistics: PoolerStatistics) {
        moments.withLock { $0 = ($0.after, statistics) }
    }
}
