// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import Synchronization
import Testing

@testable import CaromPooler

/// What is kept and told of what resolvers find.
@Suite struct ResolverFindingsTests {
    private static func backend(_ name: String, weight: Int = 1) -> Backend {
        Backend(name: name, address: .ip("192.0.2.1", port: 5432), weight: weight)
    }

    @Test(arguments: [
        (nil, [], ["finds no server"]),
        (nil, [backend("a")], ["finds a (192.0.2.1:5432) priority 0 weight 1"]),
        ([backend("a")], [backend("a")], []),
        (
            [backend("a"), backend("b")], [backend("b", weight: 2), backend("c")],
            [
                "new: c (192.0.2.1:5432) priority 0 weight 1", "gone: a (192.0.2.1:5432) priority 0 weight 1",
                "changed: b (192.0.2.1:5432) priority 0 weight 2",
            ]
        ),
        (
            [backend("a")], [],
            ["gone: a (192.0.2.1:5432) priority 0 weight 1", "there is no server left"]
        ),
    ])
    func changesAreSaidInWords(old: [Backend]?, new: [Backend], lines: [String]) {
        #expect(ResolverFindings.changes(from: old.map { BackendSet($0) }, to: BackendSet(new)) == lines)
    }

    @Test func aLongListIsCutShort() {
        let line = ResolverFindings.changes(
            from: nil, to: BackendSet((1...20).map { Self.backend("db\($0)") }))
        #expect(line.count == 1 && line[0].hasSuffix("db16 (192.0.2.1:5432) priority 0 weight 1 and 4 more"))
    }

    @Test func drainedServersAreNotToldToPoolsAndStillReported() async {
        let drained = DrainedServers()
        let findings = ResolverFindings(drained: drained) { _ in }
        let (sets, continuation) = AsyncStream.makeStream(of: BackendSet.self)
        let following = Task {
            await findings.follow(StaticResolver([Self.backend("a"), Self.backend("b")])) {
                continuation.yield($0)
            }
        }
        var iterator = sets.makeAsyncIterator()
        #expect(await iterator.next()?.backends.map(\.name) == ["a", "b"])
        #expect(drained.add("a") && !drained.add("a"))
        findings.drainsChanged()
        #expect(await iterator.next()?.backends.map(\.name) == ["b"])
        #expect(findings.servers?.map(\.isDrained) == [true, false])
        #expect(drained.remove("a") && !drained.remove("a"))
        findings.drainsChanged()
        #expect(await iterator.next()?.backends.map(\.name) == ["a", "b"])
        following.cancel()
        await following.value
    }

    @Test func aReportSaysWhatHasChangedSinceAnother() {
        func report(_ backends: [Backend]?) -> ResolverReport {
            ResolverReport(
                name: "r", title: "resolver \"r\"", type: .dns,
                servers: backends?.map {
                    ResolverReport.Server(
                        backend: $0, source: "x", timeLeft: .milliseconds(1250), age: .zero, isDrained: false)
                }, isComplete: true, failures: backends == nil ? 2 : 0,
                trouble: backends == nil ? "x A: SERVFAIL" : nil)
        }
        #expect(
            report(nil).text
                == "resolver \"r\" (dns): nothing is known yet\n  2 failed in a row: x A: SERVFAIL")
        let old = report([Self.backend("a"), Self.backend("b")])
        #expect(old.text.split(separator: "\n").count == 4 && old.text.contains("  1.2s  "))
        #expect(old.changes(since: old) == [])
        #expect(
            report([Self.backend("b", weight: 2), Self.backend("c")]).changes(since: old).map {
                $0.prefix(17)
            }
                == ["~ resolver \"r\": b", "+ resolver \"r\": c", "- resolver \"r\": a"])
        #expect(report([]).changes(since: report(nil)) == ["= resolver \"r\": there is no server"])
    }

    @Test(arguments: [("a", true), ("192.0.2.1:5432", true), ("192.0.2.1", false), ("A", false)])
    func aServerIsMeantByNameOrAddress(text: String, isMeant: Bool) {
        #expect(DrainedServers.means(text, Self.backend("a")) == isMeant)
    }
}
