// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What console commands may look at and act on. One for all consoles of a pooler.
final class ConsoleContext: Sendable {
    /// The pooler's version, without its name.
    let version: String
    private let takeStatistics: @Sendable () -> PoolerStatistics

    /// - Parameter statistics: takes a snapshot of the running pooler; called on the thread of the console's client.
    init(version: String = CaromVersion.number, statistics: @escaping @Sendable () -> PoolerStatistics) {
        self.version = version
        takeStatistics = statistics
    }

    /// The running pooler at this moment. O(routes and backends): a command asks once.
    var statistics: PoolerStatistics { takeStatistics() }
}
