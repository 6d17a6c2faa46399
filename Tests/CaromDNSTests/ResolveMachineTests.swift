// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromDNS

private let srv = "_pg._tcp.example.com SRV"

/// The scenarios D1 to D12 and the behaviours of the resolver, in virtual time.
@Suite struct ResolveMachineTests {
    func gaps(_ times: [Duration]) -> [Duration] {
        zip(times, times.dropFirst()).map { $1 - $0 }
    }

    @Test func oneServiceOfThreeIsPublishedOnceAndWhole() throws {
        let zone = Zone.service(hosts: [1, 2, 3])
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question)) }
        world.run(until: .seconds(1))
        #expect(world.publications.count == 1)
        #expect(world.latest == ["192.0.2.1:5432", "192.0.2.2:5432", "192.0.2.3:5432"])
        #expect(world.asks.count == 4)
        #expect(
            world.publications[0].set.backends.map(\.name) == [
                "db1.example.com", "db2.example.com", "db3.example.com",
            ])
    }

    @Test func theHostsOfAServiceAreKnownWithTheTimeOfTheNextQuestion() throws {
        let zone = Zone.service(hosts: [1, 2], ttl: 60)
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question), after: .zero) }
        world.run(until: .seconds(10))
        let hosts = world.machine.hosts(now: world.now)
        #expect(hosts.map(\.name) == ["db1.example.com", "db2.example.com"])
        #expect(hosts.map(\.addresses) == [["192.0.2.1"], ["192.0.2.2"]])
        #expect(hosts.allSatisfy { $0.next > .seconds(49) && $0.next <= .seconds(72) })
    }

    @Test(
        "behaviour 41: a tiny time to live means queries every five to six seconds, and no gap",
        arguments: [UInt32(0), 1])
    func aTinyTimeToLiveMeansQueriesEveryFiveToSixSecondsAndNoGap(ttl: UInt32) throws {
        let zone = Zone.service(hosts: [1, 2, 3], ttl: ttl)
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question), after: .zero) }
        world.run(until: .seconds(600))
        let gaps = gaps(world.times(of: srv))
        #expect(gaps.count >= 99)
        #expect(gaps.allSatisfy { $0 >= .seconds(5) && $0 <= .seconds(6) })
        #expect(world.publications.count == 1)
    }

    @Test("behaviour 41: a huge time to live is asked again within six minutes")
    func aHugeTimeToLiveIsAskedAgainWithinSixMinutes() throws {
        let zone = Zone.service(hosts: [1], ttl: 86_400)
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question), after: .zero) }
        world.run(until: .seconds(36_000))
        let gaps = gaps(world.times(of: srv))
        #expect(gaps.count >= 99)
        #expect(gaps.allSatisfy { $0 >= .seconds(300) && $0 <= .seconds(360) })
        #expect(gaps.contains { $0 > .seconds(330) } && gaps.contains { $0 < .seconds(330) })
    }

    @Test(
        "behaviour 42: ten minutes of trouble change nothing but the age",
        arguments: ["SERVFAIL", "silence", "garbage", "unreachable", "truncated"])
    func tenMinutesOfTroubleChangeNothingButTheAge(kind: String) throws {
        let zone = Zone.service(hosts: [1, 2, 3], ttl: 5)
        let world = try MachineRig { question, _, now in
            guard now > .seconds(1) else { return .answer(zone.answer(question), after: .zero) }
            switch kind {
            case "SERVFAIL": return .answer(MessageWriter(question, code: 2))
            case "garbage": return .result(.malformed(.badPointer))
            case "unreachable": return .result(.unreachable("refused"))
            case "truncated":
                var writer = zone.answer(question)
                writer.flags |= 0x0200
                return .answer(writer)
            default: return .silence
            }
        }
        world.run(until: .seconds(600))
        #expect(world.publications.count == 1)
        #expect(world.machine.age(now: world.now) == .seconds(600))
        let warnings = world.events.filter { if case .stale = $0 { true } else { false } }
        #expect(warnings.count == 4, "one per subject, not one per failure")
        // At least every 30 s (stretched to 36, and a round of silence takes 6 s) the service is asked again.
        #expect(world.times(of: srv).count >= 600 / 42)
    }

    @Test func recoveryAfterAnOutageIsNoticedWithinTheLongestRetry() throws {
        var zone = Zone.service(hosts: [1], ttl: 5)
        let world = try MachineRig { question, _, now in
            now > .seconds(1) && now < .seconds(600)
                ? .answer(MessageWriter(question, code: 2)) : .answer(zone.answer(question))
        }
        world.run(until: .seconds(600))
        zone = .service(hosts: [1, 2], ttl: 5)
        world.run(until: .seconds(637))
        #expect(world.latest == ["192.0.2.1:5432", "192.0.2.2:5432"])
        #expect(world.machine.age(now: world.now)! < .seconds(38))
    }

    @Test func oneFailingAddressQueryKeepsThatBackend() throws {
        let zone = Zone.service(hosts: [1, 2, 3], ttl: 5)
        let world = try MachineRig { question, _, now in
            now > .seconds(1) && question.name == name("db2.example.com")
                ? .answer(MessageWriter(question, code: 2)) : .answer(zone.answer(question))
        }
        world.run(until: .seconds(300))
        #expect(world.publications.count == 1)
        #expect(world.latest.count == 3)
    }

    @Test func maxStaleEndsTheUseOfOldAnswers() throws {
        let zone = Zone.service(hosts: [1], ttl: 5)
        let world = try MachineRig(configure: { $0.maxStale = .seconds(100) }) { question, _, now in
            now > .seconds(1) ? .silence : .answer(zone.answer(question), after: .zero)
        }
        world.run(until: .seconds(99))
        #expect(world.latest.count == 1)
        world.run(until: .seconds(101))
        #expect(world.latest.isEmpty)
        #expect(world.publications.last?.time == .seconds(100))
    }

    @Test("behaviour 43: answers that alternate between full, empty and none remove nothing")
    func answersThatAlternateFullEmptyAndTimeoutRemoveNothing() throws {
        let zone = Zone.service(hosts: [1, 2, 3], ttl: 30)
        var turn = 0
        let world = try MachineRig { question, _, _ in
            guard question.type == .srv else { return .answer(zone.answer(question)) }
            turn += 1
            switch turn % 3 {
            case 1: return .answer(zone.answer(question))
            case 2: return .answer(MessageWriter(question, code: 0, minimum: 30))
            default: return .result(.unreachable("refused"))
            }
        }
        world.run(until: .seconds(3600))
        #expect(turn > 90)
        #expect(world.publications.count == 1)
    }

    @Test("behaviour 43: one of four goes after two answers, three of four after three")
    func oneOfFourGoesAfterTwoAnswersThreeOfFourAfterThree() throws {
        var zone = Zone.service(hosts: [1, 2, 3, 4], ttl: 10)
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question), after: .zero) }
        world.run(until: .seconds(1))
        zone.records.removeAll { $0.content == service("x", "db4.example.com").content }
        world.run(until: .seconds(60))
        #expect(world.latest == ["192.0.2.1:5432", "192.0.2.2:5432", "192.0.2.3:5432"])
        let asked = world.times(of: srv)
        #expect(world.publications[1].time == asked[2], "the second answer without it")

        zone = .service(hosts: [1], ttl: 10)
        let before = asked.count
        world.run(until: .seconds(120))
        #expect(world.latest == ["192.0.2.1:5432"])
        // Two of three is more than half.
        #expect(
            world.publications[2].time == world.times(of: srv)[before + 2], "the third answer without them")
    }

    @Test func aNameThatVanishesTakesThreeAnswers() throws {
        var zone = Zone.service(hosts: [1, 2], ttl: 10)
        zone.minimum = 10
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question), after: .zero) }
        world.run(until: .seconds(1))
        zone.records = []
        world.run(until: .seconds(60))
        #expect(world.latest.isEmpty)
        #expect(world.publications.count == 2)
        #expect(world.publications[1].time == world.times(of: srv)[3])
    }

    @Test func aChangedAddressReplacesTheOldOneWithTheFirstAnswer() throws {
        var zone = Zone.service(hosts: [1, 2], ttl: 10)
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question), after: .zero) }
        world.run(until: .seconds(1))
        zone.records.removeAll { $0 == address("db2.example.com", "192.0.2.2", ttl: 10) }
        zone.records.append(address("db2.example.com", "192.0.2.22", ttl: 10))
        world.run(until: .seconds(13))
        #expect(world.latest == ["192.0.2.1:5432", "192.0.2.22:5432"])
        #expect(world.publications.count == 2)
    }

    @Test func aThousandFlipsEndInTheLastState() throws {
        var zone = Zone.service(hosts: [1, 2], ttl: 5)
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question), after: .zero) }
        world.run(until: .seconds(1))
        for flip in 1...1000 {
            zone = .service(hosts: flip.isMultiple(of: 2) ? [1, 2, 3] : [1, 3], ttl: 5)
            world.run(until: .seconds(1 + flip * 5))
        }
        zone = .service(hosts: [3], ttl: 5)
        world.run(until: .seconds(5100))
        #expect(world.latest == ["192.0.2.3:5432"])
        #expect(world.machine.entries.count == 2)
        #expect(world.machine.queries.isEmpty)
    }

    @Test func anAliasAndAMissingIPv6AddressAreNoErrors() throws {
        var zone = Zone()
        zone.minimum = 40
        zone.records = [
            service("_pg._tcp.example.com", "db.example.com", ttl: 300),
            alias("db.example.com", "real.example.net", ttl: 300),
            address("real.example.net", "192.0.2.9", ttl: 300),
        ]
        let world = try MachineRig(configure: { $0.addresses = .preferIPv6 }) { question, _, _ in
            .answer(zone.answer(question), after: .zero)
        }
        world.run(until: .seconds(200))
        #expect(world.latest == ["192.0.2.9:5432"])
        #expect(world.publications.count == 1)
        #expect(!world.events.contains { if case .failed = $0 { true } else { false } })
        let gaps = gaps(world.times(of: "real.example.net AAAA"))
        #expect(gaps.count >= 3)
        #expect(gaps.allSatisfy { $0 >= .seconds(40) && $0 <= .seconds(48) }, "kept for the SOA's minimum")
    }

    @Test func addressesInTheAdditionalSectionSpareQuestions() throws {
        var zone = Zone.service(hosts: [1, 2, 3])
        zone.addsAddresses = true
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question), after: .zero) }
        world.run(until: .seconds(1))
        #expect(world.asks.count == 1)
        #expect(world.latest.count == 3)
    }

    @Test func foreignAddressesInTheAdditionalSectionAreIgnored() throws {
        let zone = Zone.service(hosts: [1])
        let world = try MachineRig { question, _, _ in
            var writer = zone.answer(question)
            writer.additionals = [address("victim.example.org", "192.0.2.66")]
            return .answer(writer, after: .zero)
        }
        world.run(until: .seconds(1))
        #expect(world.latest == ["192.0.2.1:5432"])
        #expect(world.machine.entries.count == 2)
    }

    @Test func prioritiesAndWeightsArriveAtTheBackends() throws {
        var zone = Zone()
        zone.records = [
            service("_pg._tcp.example.com", "a.example.com", priority: 10, weight: 3),
            service("_pg._tcp.example.com", "b.example.com", port: 6432, priority: 10, weight: 0),
            service("_pg._tcp.example.com", "c.example.com", priority: 20, weight: 0),
            address("a.example.com", "192.0.2.1"), address("b.example.com", "192.0.2.2"),
            address("c.example.com", "192.0.2.3"),
        ]
        let world = try MachineRig { question, _, _ in .answer(zone.answer(question)) }
        world.run(until: .seconds(1))
        let backends = world.publications[0].set.backends
        #expect(backends.map(\.priority) == [10, 10, 20])
        #expect(backends.map(\.weight) == [3, 0, 1], "zero counts beside others, and says nothing alone")
        #expect(
            backends.map(\.address.description) == ["192.0.2.1:5432", "192.0.2.2:6432", "192.0.2.3:5432"])
    }

    @Test func aSilentServerDelaysNoAnswerByMoreThanItsPatience() throws {
        let zone = Zone.service(hosts: [1, 2, 3], ttl: 5)
        let (silent, good) = (server("192.0.2.53"), server("192.0.2.54"))
        let world = try MachineRig(servers: [silent, good]) { question, server, _ in
            server == silent ? .silence : .answer(zone.answer(question))
        }
        world.run(until: .seconds(1))
        #expect(world.latest.count == 3)
        #expect(world.publications[0].time < .seconds(2))
        let count = world.asks.filter { $0.server == silent }.count
        world.run(until: .seconds(60))
        #expect(
            world.asks.filter { $0.server == silent }.count == count,
            "the good one is asked first from then on")
    }

    @Test func aFailingServerIsReplacedAtOnceAndAskedOnlyOnceARound() throws {
        let zone = Zone.service(hosts: [1], ttl: 60)
        let (bad, good) = (server("192.0.2.53"), server("192.0.2.54"))
        let world = try MachineRig(servers: [bad, good]) { question, server, _ in
            server == bad ? .answer(MessageWriter(question, code: 5)) : .answer(zone.answer(question))
        }
        world.run(until: .seconds(1))
        #expect(world.publications[0].time == .milliseconds(60))
        #expect(world.asks.filter { $0.server == bad }.count == 1)
    }

    @Test func allSilentServersAreTriedThriceEach() throws {
        let servers = [server("192.0.2.53"), server("192.0.2.54")]
        let world = try MachineRig(servers: servers) { _, _, _ in .silence }
        world.run(until: .seconds(6.6))
        #expect(world.asks.filter { $0.server == servers[0] }.count == 3)
        #expect(world.asks.filter { $0.server == servers[1] }.count == 3)
        #expect(world.publications.isEmpty)
        #expect(world.machine.age(now: world.now) == nil)
    }

    @Test func aNewListOfServersIsUsedAndTheProvenOneStaysFirst() throws {
        let zone = Zone.service(hosts: [1], ttl: 5)
        let (first, second, third) = (server("192.0.2.53"), server("192.0.2.54"), server("192.0.2.55"))
        let world = try MachineRig(servers: []) { question, _, _ in .answer(zone.answer(question)) }
        world.run(until: .seconds(30))
        #expect(world.asks.isEmpty)
        world.perform(world.machine.setServers([first, second], now: world.now))
        world.run(until: .seconds(31))
        #expect(world.latest.count == 1)
        world.perform(world.machine.setServers([third, second, first], now: world.now))
        #expect(world.machine.servers == [first, third, second])
        world.perform(world.machine.setServers([third], now: world.now))
        world.asks = []
        world.run(until: .seconds(60))
        #expect(!world.asks.isEmpty)
        #expect(world.asks.allSatisfy { $0.server == third })
    }

    @Test func aMissingServiceIsAnEmptySetAndAFailingOneIsNone() throws {
        let missing = try MachineRig { question, _, _ in .answer(MessageWriter(question, code: 3)) }
        missing.run(until: .seconds(100))
        #expect(missing.publications.map(\.addresses) == [[]])
        // Without a SOA a negative answer is kept for 10 s.
        #expect(gaps(missing.times(of: srv)).allSatisfy { $0 >= .seconds(10) && $0 <= .seconds(12.1) })
        let failing = try MachineRig { question, _, _ in .answer(MessageWriter(question, code: 2)) }
        failing.run(until: .seconds(100))
        #expect(failing.publications.isEmpty)
    }

    @Test func theFirstSetWaitsForLateAddressesButNotForEver() throws {
        let zone = Zone.service(hosts: [1, 2])
        let world = try MachineRig { question, _, _ in
            question.name == name("db2.example.com") ? .silence : .answer(zone.answer(question), after: .zero)
        }
        world.run(until: .seconds(30))
        #expect(world.publications.map(\.time) == [.seconds(2)])
        #expect(world.latest == ["192.0.2.1:5432"])
    }

    @Test func aRootTargetMeansNotOffered() throws {
        let world = try MachineRig { question, _, _ in
            .answer(MessageWriter(question, [service("_pg._tcp.example.com", ".")]))
        }
        world.run(until: .seconds(1))
        #expect(world.publications.map(\.addresses) == [[]])
    }

    @Test func neverMoreQuestionsThanAllowedAreUnderWay() throws {
        let zone = Zone.service(hosts: Array(1...200))
        var world: MachineRig?
        var most = 0
        world = try MachineRig(configure: { $0.maxQueries = 7 }) { question, _, _ in
            most = max(most, world?.machine.queries.count ?? 1)
            return .answer(zone.answer(question))
        }
        world?.run(until: .seconds(2))
        #expect(most == 7)
        #expect(world?.latest.count == 200)
        // It holds itself by its own script.
        world = nil
    }

    @Test func theSameSeedGivesTheSameTrace() throws {
        func trace(_ seed: UInt64) throws -> [String] {
            let zone = Zone.service(hosts: Array(1...20), ttl: 7)
            let world = try MachineRig(seed: seed) { question, _, now in
                Int(now.components.seconds) % 5 == 3 ? .silence : .answer(zone.answer(question))
            }
            world.run(until: .seconds(200))
            return world.asks.map { "\($0.time) \($0.question)" }
        }
        #expect(try trace(7) == trace(7))
        #expect(try trace(7) != trace(8))
    }
}
