// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom

/// A pool as a ``StatsServer`` shows it, whatever it pools.
public struct ObservedPool: Sendable {
    let stats: @Sendable () -> PoolStats
    let recorder: PoolRecorder?

    /// A pool, and the recorder that is its observer.
    ///
    /// Without a recorder there are no quantiles, and a new backend shows with the next regular message only.
    public init<C: Connector>(_ pool: Pool<C>, recorder: PoolRecorder? = nil) {
        stats = { pool.stats }
        self.recorder = recorder
    }

    /// A pool that is known by its statistics only, without a recorder.
    package init(stats: @escaping @Sendable () -> PoolStats) {
        self.stats = stats
        recorder = nil
    }

    var snapshot: PoolSnapshot {
        PoolSnapshot(stats: stats(), pool: recorder?.pool, backends: recorder?.backends ?? [:])
    }
}

/// What is known of one pool at one moment.
struct PoolSnapshot {
    var stats: PoolStats
    var pool: PoolRecorder.Spread?
    var backends: [BackendID: PoolRecorder.Spread] = [:]
}
