// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromReactor

extension Pooler {
    /// Every `stats_interval`, a line for the whole and one for each route, until the task is cancelled.
    func logStatistics(on reactor: Reactor) async {
        let settings = snapshot.settings
        guard settings.logStats else { return }
        var last = statistics.statistics
        while await reactor.sleep(for: settings.statsInterval) {
            let now = statistics.statistics
            for line in StatisticsLog.lines(now, before: last) { log.stats(line) }
            last = now
        }
    }

    /// Serves statistics over HTTP if `stats_listen` says where, until the task is cancelled.
    func serveStatistics() async {
        guard let address = snapshot.settings.statsListen else { return }
        await StatisticsService(address: address, collector: statistics, log: log).run()
    }
}
