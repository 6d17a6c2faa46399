// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromDNS

/// Plain host names, in virtual time.
@Suite struct HostNameTests {
    @Test func everyAddressOfAHostIsABackend() throws {
        var zone = Zone()
        zone.records = [address("db.example.com", "192.0.2.1"), address("db.example.com", "192.0.2.2")]
        let world = try MachineRig(.host("db.example.com", port: 5433)) { question, _, _ in
            .answer(zone.answer(question), after: .zero)
        }
        world.run(until: .seconds(1))
        #expect(world.latest == ["192.0.2.1:5433", "192.0.2.2:5433"])
        #expect(world.publications[0].set.backends.allSatisfy { $0.name == "db.example.com" })
        #expect(world.asks.map(\.question) == ["db.example.com A"])
    }

    @Test(arguments: [
        (DNSConfiguration.Addresses.ipv4, ["192.0.2.1:5432"]), (.ipv6, ["[2001:db8::1]:5432"]),
        (.preferIPv4, ["192.0.2.1:5432"]), (.preferIPv6, ["[2001:db8::1]:5432"]),
        (.all, ["192.0.2.1:5432", "[2001:db8::1]:5432"]),
    ])
    func theKindsOfAddressesAreChosen(addresses: DNSConfiguration.Addresses, expected: [String]) throws {
        var zone = Zone()
        zone.records = [address("db.example.com", "192.0.2.1"), address("db.example.com", "2001:db8::1")]
        let world = try MachineRig(
            .host("db.example.com", port: 5432), configure: { $0.addresses = addresses }
        ) {
            question, _, _ in .answer(zone.answer(question))
        }
        world.run(until: .seconds(1))
        #expect(world.publications.map(\.addresses) == [expected])
    }

    @Test func aFailedOverHostMovesWithTheFirstAnswer() throws {
        var zone = Zone()
        zone.records = [address("db.example.com", "192.0.2.1", ttl: 5)]
        let world = try MachineRig(.host("db.example.com", port: 5432)) { question, _, _ in
            .answer(zone.answer(question))
        }
        world.run(until: .seconds(1))
        zone.records = [address("db.example.com", "192.0.2.2", ttl: 5)]
        world.run(until: .seconds(7))
        #expect(world.publications.map(\.addresses) == [["192.0.2.1:5432"], ["192.0.2.2:5432"]])
    }

    @Test func theHostsFileComesFirstAndIsReadAgain() throws {
        let world = try MachineRig(.host("db", port: 5432)) { question, _, _ in
            .answer(MessageWriter(question, [address("db", "192.0.2.99")]))
        }
        world.run(until: .seconds(1))
        #expect(world.latest == ["192.0.2.99:5432"])
        world.hosts = "192.0.2.7 db\n2001:db8::7 db\n"
        world.run(until: .seconds(80))
        #expect(world.latest == ["192.0.2.7:5432"])
        let asked = world.asks.count
        world.run(until: .seconds(200))
        #expect(world.asks.count == asked)
    }

    @Test func localhostWorksWithoutNameservers() throws {
        let world = try MachineRig(
            .host("localhost", port: 5432), servers: [], configure: { $0.addresses = .all }
        ) {
            _, _, _ in .silence
        }
        #expect(world.latest == ["127.0.0.1:5432", "[::1]:5432"])
        world.run(until: .seconds(100))
        #expect(world.asks.isEmpty)
        #expect(world.publications.count == 1)
    }

    @Test func aNumericAddressIsPublishedAtOnceAndForEver() throws {
        let world = try MachineRig(.host("2001:db8::1", port: 5432)) { _, _, _ in .silence }
        #expect(world.publications.map(\.addresses) == [["[2001:db8::1]:5432"]])
        #expect(world.machine.nextWake(now: .zero) == nil)
    }

    @Test func theSearchListIsTriedInTurn() throws {
        var zone = Zone()
        zone.records = [address("db.c", "192.0.2.3", ttl: 30)]
        let search = SearchList(domains: [name("a.b"), name("c")], dots: 1)
        let world = try MachineRig(
            .host("db", port: 5432), search: search, configure: { $0.readsHostsFile = false }
        ) {
            question, _, _ in .answer(zone.answer(question))
        }
        world.run(until: .seconds(1))
        #expect(world.asks.map(\.question) == ["db.a.b A", "db.c A"])
        #expect(world.latest == ["192.0.2.3:5432"])
    }

    @Test func aliasesWithoutEndAreAFailureNotALoop() throws {
        var hop = 0
        let world = try MachineRig(.host("db.example.com", port: 5432)) { question, _, _ in
            hop += 1
            return .answer(MessageWriter(question, [alias(question.name.description, "n\(hop).example.com")]))
        }
        world.run(until: .seconds(4))
        #expect(world.asks.count <= 20)
        #expect(world.publications.isEmpty)
    }
}
