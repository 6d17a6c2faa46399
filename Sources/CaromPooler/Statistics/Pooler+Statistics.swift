// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromReactor

extension Pooler {
    /// Every `stats_interval` a period ends, and with `log_stats` there is a line for the whole and one for each route, until the
    /// task is cancelled.
    func followStatistics(on reactor: Reactor) async {
        periods.add(statistics.statistics)
        while await reactor.sleep(for: snapshot.settings.statsInterval) {
            periods.add(statistics.statistics)
            guard snapshot.settings.logStats, let period = periods.last else { continue }
            for line in StatisticsLog.lines(period.after, before: period.before) { log.stats(line) }
        }
    }

    /// Serves statistics over HTTP if `stats_listen` says where, until the task is cancelled.
    func serveStatistics() async {
        guard let address = snapshot.settings.statsListen else { return }
        await StatisticsService(
            address: address, collector: statistics,
            isStopping: { [self] in takesNoMore }, log: log
        ).run(in: succession)
    }
}
