// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromStats
import FoundationEssentials
import Logging

/// Serves the pooler's statistics over HTTP, beside the workers: on threads of its own, never on one that serves clients.
struct StatisticsService: Sendable {
    let address: StatsAddress
    let collector: StatisticsCollector
    let isStopping: @Sendable () -> Bool
    let log: PoolerLog

    /// Pause before an address that cannot be had is tried again: it may belong to a process that is just ending.
    private static let retryPause = Duration.seconds(5)

    /// Serves until the task is cancelled; not while another process has taken over, which has the address then.
    func run(in succession: Succession) async {
        // The process before this one needs a moment to let go of it.
        if succession.takesOver { try? await Task.sleep(for: .seconds(1)) }
        var turns = succession.turns.makeAsyncIterator()
        while let isServing = await turns.next() {
            if !isServing { continue }
            // Cancelled, and waited for, at the end of the turn.
            async let _ = run()
            _ = await turns.next()
        }
    }

    /// Serves until the task is cancelled. What goes wrong is logged and tried again: clients do not depend on it.
    func run() async {
        let collector = collector
        let server = StatsServer(
            host: address.host, port: UInt16(clamping: address.port),
            logger: log.libraryLogger(label: "statistics"), documents: documents
        ) { collector.statistics.observedPools }
        while !Task.isCancelled {
            do throws(StatsServerError) {
                try await server.run { _ in log.info("serving statistics on http://\(address)/") }
            } catch {
                log.error("\(error)")
            }
            try? await Task.sleep(for: Self.retryPause)
        }
    }

    private static let plainText = "text/plain; charset=utf-8"

    private var documents: [StatsDocument] {
        let (collector, isStopping) = (collector, isStopping)
        let json = ["/stats", "/stats.json"].map { path in
            StatsDocument(path: path) { _ in
                StatsDocument.Content(type: "application/json", body: collector.statistics.json)
            }
        }
        return json + [
            StatsDocument(path: "/metrics") { accept in
                let dialect = OpenMetrics.Dialect(accept: accept)
                return StatsDocument.Content(
                    type: dialect.contentType, body: Data(collector.statistics.metrics(dialect).utf8))
            },
            StatsDocument(path: "/healthz") { _ in
                StatsDocument.Content(type: Self.plainText, body: Data("alive\n".utf8))
            },
            StatsDocument(path: "/readyz") { _ in
                let readiness = Readiness(collector.statistics, isStopping: isStopping())
                return StatsDocument.Content(
                    type: Self.plainText, body: Data(readiness.text.utf8), isUnavailable: !readiness.isReady)
            },
        ]
    }
}
