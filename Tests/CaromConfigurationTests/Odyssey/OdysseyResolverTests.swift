// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// `resolver` blocks: what they say, and what is wrong with them.
@Suite struct OdysseyResolverTests {
    private static func settings(_ text: String) throws -> Settings {
        try ConfigurationFile.parse(text: smallest + "\n" + text).settings
    }

    /// What is said about a text below the smallest configuration, with line and column in it.
    private static func complaints(_ text: String) -> [String] {
        findings(in: smallest + "\n" + text).map { line in
            let parts = line.split(separator: ":", maxSplits: 3)
            let text = parts[3].replacing("\nhint: ", with: " (") + (line.contains("\nhint: ") ? ")" : "")
            return "\(Int(parts[1])! - smallest.split(separator: "\n").count):\(parts[2]):\(text)"
        }
    }

    @Test func everyDirectiveArrivesWhereItBelongs() throws {
        let settings = try Self.settings(
            #"""
            resolver "a" { type "static" port 5433
                host "db1 10.0.0.1 weight=3 zone=a, [::1]:1 priority=10, /run/pg az=" }
            resolver "b" { type "file" file "/etc/hosts.db" file_format "json" port 1 }
            resolver "c" { type "dns" srv "_pg._tcp.db.example" nameserver "10.0.0.2:53,[::1]:5353"
                nameserver_srv "_dns._udp.db.example" address_family "all" timeout_ms 100 tries 1
                ttl_min 0.5 ttl_max 7 ttl_negative 2 retry_min 0.25 retry_max 3 spread 0 removal_answers 1
                removal_answers_most 4 removal_spacing 0 max_stale 60 etc_hosts no max_queries 9 }
            resolver "d" { type "dns" host "one.example, two.example:6" port 5 }
            resolver "e" { type "composite" resolvers "c, a" rule "fallback" }
            storage "s" { type "remote" resolver "e" }
            """#)
        let (a, b, c) = (settings.resolvers[0], settings.resolvers[1], settings.resolvers[2])
        #expect(a.type == .fixed && a.hosts.map { a.port(of: $0) } == [5433, 1, 5433])
        #expect(a.hosts.map(\.name) == ["db1", nil, nil] && a.hosts.map(\.weight) == [3, nil, nil])
        #expect(a.hosts.map(\.priority) == [nil, 10, nil])
        #expect(a.hosts.map(\.attributes) == [["zone": "a"], [:], ["az": ""]])
        #expect(b.file == "/etc/hosts.db" && b.fileFormat == .json && b.port == 1)
        #expect(c.service == "_pg._tcp.db.example" && c.nameserverService == "_dns._udp.db.example")
        #expect(c.nameservers.map(\.port) == [53, 5353] && c.addressFamily == .all && c.tries == 1)
        #expect(c.timeout == .milliseconds(100) && c.shortestTTL == .milliseconds(500))
        #expect(c.longestTTL == .seconds(7) && c.negativeTTL == .seconds(2) && c.spread == 0)
        #expect(c.firstRetry == .milliseconds(250) && c.lastRetry == .seconds(3))
        #expect(c.removalAnswers == 1 && c.removalAnswersForMost == 4 && c.removalSpacing == .zero)
        #expect(c.maxStale == .seconds(60) && !c.readsHostsFile && c.maxQueries == 9)
        #expect(settings.resolvers[3].hosts.map { settings.resolvers[3].port(of: $0) } == [5, 6])
        #expect(settings.resolvers[4].parts == ["c", "a"] && settings.resolvers[4].rule == .fallback)
        let storage = settings.storages[1]
        #expect(storage.backends == .resolver("e"))
        #expect(settings.resolvers(of: storage).map(\.name) == ["e", "c", "a"])
        #expect(settings.serviceDomain(of: storage) == "db.example" && settings.hostNames == [])
    }

    @Test func theDumpIsTheSameConfigurationAndWarnsOfNothing() throws {
        let settings = try Self.settings(
            #"""
            resolver "a" { type "static" host "db1 10.0.0.1 weight=3 zone=a, [::1]:1 priority=10" }
            resolver "b" { type "file" file "/etc/hosts.db" }
            resolver "c" { type "dns" srv "_pg._tcp.db.example" ttl_min 0.5 }
            resolver "d" { type "composite" resolvers "c, a" }
            storage "s" { type "remote" resolver "d" }
            storage "t" { type "remote" srv "_pg._tcp.db.example" }
            """#)
        let file = try ConfigurationFile.parse(text: settings.description)
        #expect(file.settings == settings)
        #expect(file.warnings == [])
    }

    @Test(arguments: [
        (
            #"resolver "r" { type "dsn" }"#,
            #"1:21: error: type: unknown value "dsn"; allowed: "static", "file", "dns", "composite" (did you mean "dns"?)"#
        ),
        (
            #"resolver "r" { host "10.0.0.1" }"#,
            #"1:1: error: resolver "r" needs a type; allowed: "static", "file", "dns", "composite""#
        ),
        (#"resolver "r" { type "static" }"#, #"1:1: error: resolver "r" needs host"#),
        (#"resolver "r" { type "file" }"#, #"1:1: error: resolver "r" needs file"#),
        (#"resolver "r" { type "dns" }"#, #"1:1: error: resolver "r" needs one of host, srv"#),
        (
            #"resolver "r" { type "composite" }"#,
            #"1:1: error: resolver "r" needs resolvers: names of others, with commas between them"#
        ),
        (
            #"resolver "r" { type "static" host "db.example" }"#,
            #"1:30: error: host: "db.example" is a name, and a resolver of type "static" has addresses (type "dns" looks names up)"#
        ),
        (
            #"resolver "r" { type "static" host "10.0.0.1" ttl_min 1 }"#,
            #"1:46: error: 'ttl_min' has no meaning for a resolver of type "static" (it belongs to type "dns")"#
        ),
        (
            #"resolver "r" { type "dns" host "a.example" file "/x" }"#,
            #"1:44: error: 'file' has no meaning for a resolver of type "dns" (it belongs to type "file")"#
        ),
        (
            #"resolver "r" { type "static" host "10.0.0.1 weight=x" }"#,
            #"1:35: error: host: weight is "x"; expected a whole number from 0 to 65535"#
        ),
        (
            #"resolver "r" { type "static" host "10.0.0.1 az=b az=c" }"#,
            #"1:35: error: host: az is given twice for "10.0.0.1""#
        ),
        (
            #"resolver "r" { type "static" host "db1 10.0.0.1 zone" }"#,
            #"1:35: error: host: "zone" is not key=value"#
        ),
        (
            #"resolver "r" { type "dns" host "a.example weight=3" }"#,
            #"1:27: error: host: "a.example weight=3" says more than a host (names, weights, priorities and attributes belong to type "static" and "file")"#
        ),
        (
            #"resolver "r" { type "dns" host "a.example" srv "_a._tcp.b" }"#,
            #"1:44: error: resolver "r" can have only one of host, srv"#
        ),
        (
            #"resolver "r" { type "dns" host "a.example" nameserver_srv "_a._tcp.b" }"#,
            #"1:44: error: nameserver_srv needs nameserver: whom to ask for it"#
        ),
        (
            #"resolver "r" { type "dns" host "a.example" ttl_min 301 }"#,
            #"1:44: error: ttl_min 301 is above ttl_max 300"#
        ),
        (
            #"resolver "r" { type "dns" host "a.example" ttl_min 0 }"#,
            #"1:52: error: ttl_min: 0 is out of range; expected more"#
        ),
        (
            #"resolver "r" { type "dns" host "a.example" retry_max 1 }"#,
            #"1:44: error: retry_min 5 is above retry_max 1"#
        ),
        (
            #"resolver "r" { type "dns" host "a.example" removal_answers 4 }"#,
            #"1:44: error: removal_answers 4 is above removal_answers_most 3"#
        ),
        (
            #"resolver "r" { type "dns" srv "_a._tcp.b" port 1 }"#,
            #"1:43: warning: 'port' has no effect: SRV records carry the ports"#
        ),
        (
            #"resolver "r" { type "static" host "10.0.0.1, 10.0.0.1:5432" }"#,
            #"1:30: warning: host: "10.0.0.1:5432" is listed twice and counts once"#
        ),
        (#"storage "s" { type "remote" resolver "r" }"#, #"1:29: error: resolver "r" is not defined"#),
        (
            #"storage "s" { type "local" resolver "r" }"#,
            #"1:28: error: 'resolver' has no meaning for a storage of type "local""#
        ),
    ])
    func aMistakeIsToldWithItsPlace(text: String, complaint: String) {
        #expect(Self.complaints(text).first == complaint)
    }

    @Test func namesAreFoundAndMistakesAmongThemTold() {
        let text = """
            resolver "known" { type "static" host "10.0.0.1" }
            resolver "known" { type "static" host "10.0.0.2" }
            resolver "many" { type "composite" resolvers "known, knwon, known, other" }
            storage "s" { type "remote" resolver "manny" }
            storage "t" { type "remote" host "10.0.0.1" resolver "known" }
            storage "u" { type "remote" resolver "known" port 1 }
            """
        let complaints = Self.complaints(text)
        #expect(complaints.count == 7, "\(complaints)")
        #expect(complaints[0].hasPrefix("2:1: error: resolver \"known\" is already defined at"))
        #expect(
            complaints[1...] == [
                "3:36: error: resolvers: resolver \"knwon\" is not defined (did you mean \"known\"?)",
                "3:36: error: resolvers: \"known\" is named twice",
                "3:36: error: resolvers: resolver \"other\" is not defined; defined: \"known\", \"known\", \"many\"",
                "4:29: error: resolver \"manny\" is not defined (did you mean \"many\"?)",
                "5:45: error: storage \"t\" can have only one of host, srv, hosts_file, resolver",
                "6:46: warning: 'port' has no effect beside 'resolver', which has its own",
            ])
    }

    @Test(arguments: [
        (["a": "a"], [#""a" is a part of itself: a → a"#]),
        (["a": "b", "b": "c", "c": "a"], [#""a" is a part of itself: a → b → c → a"#]),
        (["a": "b, c", "b": "d", "c": "d", "d": "leaf"], []),
        (
            ["a": "b, c", "b": "a", "c": "c"],
            [
                #""a" is a part of itself: a → b → a"#, #""c" is a part of itself: c → c"#,
            ]
        ),
    ])
    func aCompositeIsNoPartOfItself(parts: [String: String], circles: [String]) {
        let blocks = parts.sorted { $0.key < $1.key }.map {
            "resolver \"\($0.key)\" { type \"composite\" resolvers \"\($0.value)\" }"
        }
        let text =
            "resolver \"leaf\" { type \"static\" host \"10.0.0.1\" }\n" + blocks.joined(separator: "\n")
        let told = Self.complaints(text).compactMap { $0.split(separator: "resolvers: ").dropFirst().first }
        #expect(told.map(String.init) == circles)
    }

    @Test func changesAreTold() throws {
        let old = try Self.settings(
            #"resolver "r" { type "dns" host "a.example" } resolver "x" { type "file" file "f" }"#)
        let new = try Self.settings(#"resolver "r" { type "dns" host "a.example" ttl_max 9 }"#)
        #expect(
            SettingsChanges(from: old, to: new).lines == [
                "resolver \"x\" removed", "resolver \"r\": ttl_max is 9, was 300",
            ])
    }
}
