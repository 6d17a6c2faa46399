// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromStats
import FoundationEssentials

/// So many claimers for so many seconds, then a report on standard output.
struct HeadlessRun: Sendable {
    let workload: Workload
    let claimers: Int
    let hold: Duration
    let seconds: Int

    /// What the report says, in seconds and seconds since 1970.
    struct Report: Codable {
        struct Server: Codable {
            var claims: Int
            var lastClaim: Double

            enum CodingKeys: String, CodingKey {
                case claims
                case lastClaim = "last_claim"
            }
        }

        struct Timeline: Codable {
            /// When the first bin begins.
            var start: Double
            var binSeconds: Double
            /// Claims in each bin.
            var claims: [String: [Int]]

            enum CodingKeys: String, CodingKey {
                case start, claims
                case binSeconds = "bin_seconds"
            }
        }

        var claims: Int
        var failedClaims: Int
        var brokenEchoes: Int
        var errors: [String]
        var servers: [String: Server]
        var wait: Quantiles?
        var hold: Quantiles?
        var timeline: Timeline

        enum CodingKeys: String, CodingKey {
            case claims, errors, servers, timeline
            case failedClaims = "failed_claims"
            case brokenEchoes = "broken_echoes"
            case wait = "wait_seconds"
            case hold = "hold_seconds"
        }
    }

    func run(json: Bool) async throws {
        let journal = Journal(keepsTimeline: true)
        try await workload.run {
            await withTaskGroup { group in
                for _ in 0..<claimers {
                    group.addTask { await Claimer(hold: hold).run(workload.pool, journal) }
                }
                try? await Task.sleep(for: .seconds(seconds))
                group.cancelAll()
            }
            try show(report(journal), json: json)
        }
    }

    private func report(_ journal: Journal) -> Report {
        let entries = journal.contents
        let servers = entries.timeline.mapValues { $0.reduce(0, +) }
        let pool = StatsFrame([workload.observed]).carom?.pools.first
        return Report(
            claims: servers.values.reduce(0, +), failedClaims: entries.failedClaims,
            brokenEchoes: entries.brokenEchoes, errors: entries.errors,
            servers: Dictionary(
                uniqueKeysWithValues: servers.map {
                    ($0.key, Report.Server(claims: $0.value, lastClaim: entries.lastClaim[$0.key] ?? 0))
                }),
            wait: pool?.wait, hold: pool?.hold,
            timeline: Report.Timeline(
                start: journal.start, binSeconds: 1 / Journal.binsPerSecond, claims: entries.timeline))
    }

    private func show(_ report: Report, json: Bool) throws {
        if json {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            print(String(decoding: try encoder.encode(report), as: UTF8.self))
            return
        }
        print("\(report.claims) claims, \(report.failedClaims) failed, \(report.brokenEchoes) echoes broken")
        for (name, server) in report.servers.sorted(by: { $0.key < $1.key }) {
            print("\(name): \(server.claims)")
        }
        for error in report.errors { print(error) }
    }
}
