// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What console commands may look at and act on. One for all consoles of a pooler.
final class ConsoleContext: Sendable {
    /// The pooler's version, without its name.
    let version: String
    private let takeStatistics: @Sendable () -> PoolerStatistics
    private let takePeriod: @Sendable () -> (before: PoolerStatistics, after: PoolerStatistics)?
    private let takeSnapshot: @Sendable () -> Snapshot
    private let takeSwitches: @Sendable () -> DatabaseSwitches
    private let takeErrors: @Sendable () -> [ErrorWindow.Entry: Int]
    private let takePeers: @Sendable () -> [Peer]
    /// Does what takes longer.
    let perform: ConsoleJobs

    /// - Parameters:
    ///   - statistics: takes a snapshot of the running pooler; called on the thread of the console's client.
    ///   - period: the last period that averages are made of; nil in the first one.
    ///   - snapshot: what is configured now.
    ///   - switches: what is paused and disabled now.
    ///   - errors: those of the last five minutes.
    ///   - peers: other poolers that are configured now.
    ///   - jobs: does what takes longer.
    init(
        version: String = CaromVersion.number, statistics: @escaping @Sendable () -> PoolerStatistics,
        period: @escaping @Sendable () -> (before: PoolerStatistics, after: PoolerStatistics)?,
        snapshot: @escaping @Sendable () -> Snapshot,
        switches: @escaping @Sendable () -> DatabaseSwitches = { DatabaseSwitches() },
        errors: @escaping @Sendable () -> [ErrorWindow.Entry: Int] = { [:] },
        peers: @escaping @Sendable () -> [Peer] = { [] },
        jobs: @escaping ConsoleJobs
    ) {
        perform = jobs
        self.version = version
        takeStatistics = statistics
        takePeriod = period
        takeSnapshot = snapshot
        takeSwitches = switches
        takeErrors = errors
        takePeers = peers
    }

    /// The running pooler at this moment. O(routes and backends): a command asks once.
    var statistics: PoolerStatistics { takeStatistics() }

    /// The last period that averages are made of; nil in the first one.
    var period: (before: PoolerStatistics, after: PoolerStatistics)? { takePeriod() }

    /// What is configured now.
    var snapshot: Snapshot { takeSnapshot() }

    /// What is paused and disabled now.
    var switches: DatabaseSwitches { takeSwitches() }

    /// What went wrong for clients in the last five minutes, and how often.
    var errors: [ErrorWindow.Entry: Int] { takeErrors() }

    /// Other poolers that are configured now.
    var peers: [Peer] { takePeers() }
}
