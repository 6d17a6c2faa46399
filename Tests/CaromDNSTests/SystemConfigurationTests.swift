// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromDNS

@Suite struct SystemConfigurationTests {
    @Test func resolvConfIsReadAsTheCLibraryDoes() {
        let text = """
            # a comment
            nameserver 192.0.2.1
            nameserver 2001:db8::53 ; another
            nameserver not-an-address
            search Example.com svc.cluster.local bad..name
            options timeout:1 ndots:5 edns0
            sortlist 1.2.3.4
            """
        let system = SystemConfiguration(parsing: text)
        #expect(system.servers == [server("192.0.2.1"), server("2001:db8::53")])
        #expect(system.search.domains == [name("example.com"), name("svc.cluster.local")])
        #expect(system.search.dots == 5)
    }

    @Test(arguments: [
        (1, "db", ["db.a.b", "db.c", "db"]), (1, "db.x", ["db.x", "db.x.a.b", "db.x.c"]), (1, "db.", ["db"]),
        (2, "db.x", ["db.x.a.b", "db.x.c", "db.x"]), (0, "db", ["db", "db.a.b", "db.c"]),
    ])
    func theSearchListComesBeforeOrAfterByDots(dots: Int, text: String, expected: [String]) throws {
        let search = SearchList(domains: [name("a.b"), name("c")], dots: dots)
        #expect(try search.candidates(for: text).map(\.description) == expected)
    }

    @Test(arguments: [
        ("localhost", ["127.0.0.1", "::1"]), ("DB", ["192.0.2.7", "2001:db8::7"]),
        ("db.", ["192.0.2.7", "2001:db8::7"]),
        ("alias", ["192.0.2.7"]), ("unknown", []), ("commented", []),
    ])
    func theHostsFileIsSearched(host: String, expected: [String]) {
        let text = """
            127.0.0.1\tlocalhost
            ::1 localhost ip6-localhost # local
            192.0.2.7   db alias
            2001:db8::7 Db
            192.0.2.7 db
            # 192.0.2.8 commented
            nonsense db
            """
        #expect(HostsFile.addresses(of: host, in: text).map(\.description) == expected)
    }

    @Test func localhostNeedsNoFile() {
        #expect(HostsFile.addresses(of: "localhost", in: "").map(\.description) == ["127.0.0.1", "::1"])
    }

    @Test func everySettingOutOfRangeIsATypedError() {
        let changes: [(inout DNSConfiguration) -> Void] = [
            { $0.subject = .service("a..b") }, { $0.subject = .host("a b", port: 1) },
            { $0.subject = .host("db", port: 0) }, { $0.servers = .fixed([]) },
            { $0.servers = .discovered(service: "x", bootstrap: []) }, { $0.timeout = .zero },
            { $0.timeout = .seconds(61) }, { $0.tries = 0 }, { $0.tries = 11 },
            { $0.timeToLive = .zero ... .seconds(1) }, { $0.negativeTimeToLive = .zero },
            { $0.retryDelay = .zero ... .seconds(1) }, { $0.spread = -0.1 }, { $0.spread = 1.1 },
            { $0.removal.answers = 0 }, { $0.removal.answersForMost = 1 }, { $0.maxStale = .zero },
            { $0.maxQueries = 0 },
        ]
        for (index, change) in changes.enumerated() {
            var configuration = DNSConfiguration(.service("_pg._tcp.example.com"))
            #expect(throws: Never.self) { try configuration.validate() }
            change(&configuration)
            #expect(throws: DNSError.self, "change \(index)") { try DNSResolver(configuration) }
        }
    }
}
