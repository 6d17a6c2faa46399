// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import Testing

@testable import CaromPooler

/// Rows of `SHOW RESOLVERS`.
@Suite struct ShowResolversTests {
    private static let backend = Backend(
        name: "db1", address: .ip("192.0.2.1", port: 5432), priority: 2, weight: 3)
    private static let columns = ShowResolvers().columns?.map(\.name) ?? []

    private static func report(_ backends: [Backend]?, isDrained: Bool = false) -> ResolverReport {
        ResolverReport(
            name: "r", title: "resolver \"r\"", type: .dns,
            servers: backends?.map {
                ResolverReport.Server(
                    backend: $0, source: "db1 A at ns", timeLeft: .milliseconds(2900), age: .seconds(61),
                    isDrained: isDrained)
            }, isComplete: true, failures: 4, trouble: "db1 A: SERVFAIL")
    }

    private static func named(_ row: [String?]) -> [String: String] {
        #expect(row.count == columns.count)
        return Dictionary(uniqueKeysWithValues: zip(columns, row)).compactMapValues(\.self)
    }

    @Test func theNumbersOfAllPoolsAreAddedUp() throws {
        let pools = [Sample.backend(Self.backend), Sample.backend(Self.backend, state: .dead)]
        let rows = ShowResolvers.rows(Self.report([Self.backend]), pools, gone: [])
        let row = Self.named(try #require(rows.first))
        #expect(rows.count == 1 && row["state"] == "online" && row["addr"] == "192.0.2.1:5432")
        #expect(row["since"] == "61" && row["ttl"] == "2" && row["priority"] == "2" && row["weight"] == "3")
        #expect(row["sv_active"] == "8" && row["sv_idle"] == "4" && row["sv_tested"] == "28")
        #expect(row["sv_login"] == "2" && row["sv_closing"] == "14" && row["claims"] == "16")
        #expect(row["failed_connects"] == "20" && row["source"] == "db1 A at ns" && row["failures"] == "4")
        #expect(row["trouble"] == "db1 A: SERVFAIL" && row["last_error"] == "it \"broke\"")
    }

    @Test func whatIsDrainedUnusedOrGoneIsCalledSo() throws {
        let unused = ShowResolvers.rows(Self.report([Self.backend]), [], gone: [])
        #expect(Self.named(try #require(unused.first))["state"] == "unused")
        let left = [Sample.backend(Self.backend, state: .draining)]
        let drained = ShowResolvers.rows(Self.report([Self.backend], isDrained: true), left, gone: left)
        #expect(drained.count == 1 && Self.named(drained[0])["state"] == "drained")
        let gone = ShowResolvers.rows(Self.report([]), left, gone: left)
        #expect(gone.count == 1 && Self.named(gone[0])["state"] == "gone")
        #expect(Self.named(gone[0])["since"] == nil && Self.named(gone[0])["sv_active"] == "4")
    }

    @Test func aResolverThatKnowsNothingHasARowForItsTrouble() throws {
        let rows = ShowResolvers.rows(Self.report(nil), [], gone: [])
        let row = Self.named(try #require(rows.first))
        #expect(rows.count == 1 && row.count == 4 && row["trouble"] == "db1 A: SERVFAIL")
    }
}
