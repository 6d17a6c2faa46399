// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromDNS

/// What a resolver says of what it knows, in virtual time.
@Suite struct ReportTests {
    private static func id(_ name: String, _ address: String, _ port: UInt16 = 5432) -> BackendID {
        BackendID(name: name, address: .ip(address, port: port))
    }

    @Test func aServerIsLearntByItsQuestionsAndHoldsUntilTheFirstIsAskedAgain() throws {
        var zone = Zone()
        zone.records = [
            service("_pg._tcp.example.com", "db1.example.com", ttl: 60),
            address("db1.example.com", "192.0.2.1", ttl: 20),
        ]
        let world = try MachineRig(configure: { $0.spread = 0 }) { question, _, _ in
            .answer(zone.answer(question), after: .zero)
        }
        #expect(!world.machine.report(now: .zero).hasPublished)
        world.run(until: .seconds(1))
        let report = world.machine.report(now: world.now)
        let source = try #require(report.sources[Self.id("db1.example.com", "192.0.2.1")])
        #expect(report.hasPublished && report.trouble == nil && report.sources.count == 1)
        #expect(source.questions == ["_pg._tcp.example.com SRV", "db1.example.com A"])
        #expect(source.answeredBy == "192.0.2.53:53" && source.timeLeft == .seconds(19))
        #expect(report.after(.seconds(4)).sources.values.first?.timeLeft == .seconds(15))
        #expect(report.after(.seconds(99)).sources.values.first?.timeLeft == .zero)
        #expect(report.after(.seconds(4)).age == .seconds(5))
    }

    @Test func theHostsFileIsNamed() throws {
        let world = try MachineRig(.host("db", port: 5432)) { _, _, _ in .silence }
        world.hosts = "192.0.2.7 db\n"
        world.run(until: .seconds(30))
        let source = world.machine.report(now: world.now).sources[Self.id("db", "192.0.2.7")]
        #expect(source?.answeredBy == "/etc/hosts" && source?.questions == ["db A"])
    }

    @Test func troubleIsToldUntilThereIsAnAnswer() throws {
        var zone = Zone()
        zone.records = [address("db.example.com", "192.0.2.1", ttl: 5)]
        var isWell = true
        let world = try MachineRig(.host("db.example.com", port: 5432)) { question, _, _ in
            isWell ? .answer(zone.answer(question)) : .result(.unreachable("refused"))
        }
        world.run(until: .seconds(1))
        isWell = false
        world.run(until: .seconds(30))
        let report = world.machine.report(now: world.now)
        let trouble = try #require(report.trouble)
        #expect(trouble.question == "db.example.com A" && trouble.reason == "refused")
        #expect(trouble.failures > 1 && report.sources.count == 1)
        isWell = true
        world.run(until: .seconds(90))
        #expect(world.machine.report(now: world.now).trouble == nil)
    }
}
