// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

@Suite struct HostAccessRulesTests {
    private static func read(_ text: String, asksRoles: Bool = true) throws(AccessFileFindings)
        -> HostAccessRules
    {
        try HostAccessRules(
            ofFileAt: "hba", asksRoles: asksRoles, FakeFiles(contents: ["hba": text]).source)
    }

    /// What the lines say about a client.
    private static func ruling(
        _ text: String, _ channel: HostAccessRequest.Channel = .plain, from address: String? = "10.1.2.3",
        database: String = "shop", user: String = "ann", replicates: Bool = false,
        knowing facts: HostAccessFacts = HostAccessFacts()
    ) throws -> HostAccessRules.Ruling {
        let request = HostAccessRequest(
            channel: channel, address: address.flatMap { IPNetwork.Address($0) }, database: database,
            user: user, isPhysicalReplication: replicates)
        return try read(text).ruling(for: request, knowing: facts)
    }

    /// The number of the line that is about a client; nil if none is.
    private static func line(
        _ text: String, _ channel: HostAccessRequest.Channel = .plain, from address: String? = "10.1.2.3",
        database: String = "shop", user: String = "ann", replicates: Bool = false
    ) throws -> Int? {
        let ruling = try ruling(
            text, channel, from: address, database: database, user: user, replicates: replicates)
        switch ruling {
        case .rule(let rule): return rule.line
        case .nothing: return nil
        case .unknown(let fact):
            Issue.record("\(fact) is to be found out")
            return nil
        }
    }

    @Test func theFirstLineThatIsAboutAClientCounts() throws {
        let text = """
            local   all     all                         peer
            host    shop    bob     0.0.0.0/0           reject
            host    shop    ann,eve 10.1.0.0/16         md5
            hostssl all     all     10.0.0.0 255.0.0.0  scram-sha-256
            host    sameuser all    ::/0                trust
            """
        #expect(try Self.line(text) == 3)
        #expect(try Self.line(text, user: "bob") == 2)
        #expect(try Self.line(text, from: "10.2.0.1") == nil)
        #expect(try Self.line(text, .tls, from: "10.2.0.1") == 4)
        #expect(try Self.line(text, .local, from: nil) == 1)
        #expect(try Self.line(text, from: "fe80::1", database: "ann") == 5)
        #expect(try Self.line(text, from: "fe80::1") == nil)
    }

    @Test(
        "Names are compared as they are, keywords only where they are not quoted",
        arguments: [
            ("host all all all trust", true), ("host \"all\" all all trust", false),
            ("host SHOP all all trust", false), ("host shop ALL all trust", false),
            ("host replication all all trust", false), ("host shop,x all all trust", true),
            ("host shop \"ann\" all trust", true), ("host shop bob all trust", false),
            ("hostnossl shop ann all trust", true), ("hostssl shop ann all trust", false),
            ("local all all trust", false), ("host shop ann samenet trust", false),
        ])
    func names(text: String, isAbout: Bool) throws { #expect(try Self.line(text) == (isAbout ? 1 : nil)) }

    @Test(
        "Physical replication is of no database, and nothing else has its keyword",
        arguments: [
            ("host all all all trust", false), ("host shop all all trust", false),
            ("host sameuser all all trust", false), ("host replication all all trust", true),
            ("host replication bob all trust", false), ("host \"replication\" all all trust", false),
            ("host shop,replication ann all trust", true), ("hostssl replication all all trust", false),
        ])
    func replication(text: String, isAbout: Bool) throws {
        let line = try Self.line(text, replicates: true)
        #expect(line == (isAbout ? 1 : nil))
    }

    @Test(
        "A mask says which bits count",
        arguments: [
            ("10.1.2.3/32", "10.1.2.3", true), ("10.1.2.3/32", "10.1.2.4", false),
            ("10.1.2.0/23", "10.1.3.9", true), ("10.1.2.0/23", "10.1.4.0", false),
            ("10.1.2.3/0", "200.0.0.1", true), ("10.1.2.3/0", "::1", false),
            ("10.1.2.3 255.0.255.0", "10.9.2.1", true), ("10.1.2.3 255.0.255.0", "10.1.3.3", false),
            ("fe80::/10", "febf::1", true), ("fe80::/10", "fec0::1", false),
            ("::1/128", "::1", true), ("127.1/32", "127.0.0.1", true),
        ])
    func masks(network: String, address: String, isAbout: Bool) throws {
        #expect(try Self.line("host all all \(network) trust", from: address) == (isAbout ? 1 : nil))
    }

    @Test func theMachinesOwnAddressesAreKnown() throws {
        #expect(try Self.line("host all all samehost trust", from: "127.0.0.1") == 1)
        #expect(try Self.line("host all all samehost trust", from: "127.0.0.9") == nil)
        #expect(try Self.line("host all all samenet trust", from: "127.0.0.9") == 1)
    }

    @Test func optionsOfALineAreRead() throws {
        let rules = try Self.read(
            """
            hostssl all all all cert map=people
            hostssl all all all md5 clientcert=verify-ca
            local all all ident map=people
            local all all deny
            local all all allow
            """
        ).rules
        #expect(rules.map(\.method) == [.certificate, .md5, .peer, .reject, .allow])
        #expect(rules.map(\.map) == ["people", nil, "people", nil, nil])
        #expect(rules.map(\.clientCertificate) == [.verifyFull, .verifyCA, nil, nil, nil])
    }

    @Test(
        "A line that cannot be used says why",
        arguments: [
            ("lokal all all trust", "connection type \"lokal\"; allowed: \"local\", \"host\""),
            ("hostgssenc all all all trust", "there is no GSSAPI here"),
            ("host,local all all trust", "several values for the connection type"),
            ("local", "the line ends before the database"),
            ("local all", "the line ends before the user"),
            ("local all all", "the line ends before the method"),
            ("host all all", "the line ends before the address"),
            ("host all all 10.0.0.1", "the line ends before the mask"),
            ("host all all 10.0.0.1 trust", "mask \"trust\" is no IP address"),
            ("host all all 10.0.0.1 ::1 trust", "address and mask are of different families"),
            ("host all all 10.0.0.1/33 trust", "a mask has 0 to 32 bits"),
            ("host all all 10.0.0.1/x trust", "a mask has 0 to 32 bits"),
            ("host all all db.example/32 trust", "\"db.example/32\" is no IP address with a mask"),
            ("host all all \"\" trust", "\"\" is no IP address with a mask"),
            ("host /[ all all trust", "database \"[\" is no regular expression"),
            ("host all /( all trust", "user \"(\" is no regular expression"),
            ("host all all 1.2.3.4/32,5.6.7.8/32 trust", "several values for the address"),
            ("local all all kerberos", "method \"kerberos\"; allowed: \"allow\", \"trust\", \"reject\""),
            ("host all all all peer", "method \"peer\" is for \"local\" lines only"),
            ("host all all all cert", "method \"cert\" is for \"hostssl\" lines only"),
            ("local all all trust map=x", "'map' is for the methods \"cert\" and \"peer\""),
            ("local all all peer map", "\"map\" is no option of the form name=value"),
            ("local all all peer colour=red", "option \"colour\"; allowed: 'map', 'clientcert'"),
            ("host all all all md5 clientcert=verify-ca", "'clientcert' is for \"hostssl\" lines only"),
            ("hostssl all all all md5 clientcert=1", "allowed: \"verify-ca\", \"verify-full\""),
            ("hostssl all all all cert clientcert=verify-ca", "clientcert is \"verify-full\""),
            ("# nothing", "has no line, so nobody could come"),
        ])
    func wrong(text: String, reason: String) throws {
        let error = #expect(throws: AccessFileFindings.self) { try Self.read(text) }
        let message = try #require(error).messages.joined()
        #expect(message.contains(reason), "\(message)")
    }

    @Test(
        "Where nobody can be asked for roles a line that needs them is an error, not skipped",
        arguments: ["local all +staff trust", "local samerole all trust", "local samegroup,x all trust"])
    func rolesThatNobodyKnows(text: String) throws {
        let error = #expect(throws: AccessFileFindings.self) { try Self.read(text, asksRoles: false) }
        let message = try #require(error).messages.joined()
        #expect(
            message.hasPrefix("hba:1: ")
                && message.contains("only servers know who is a member of which role; hba_role_query_db"))
        _ = try Self.read(text)
        // Quoted words are names.
        _ = try Self.read("local \"samerole\" \"+staff\" trust", asksRoles: false)
    }

    @Test(
        "Members of a role are meant by +, and those of the role that is called as the database by samerole",
        arguments: [
            ("host all +crew all trust", true), ("host all bob,+crew all trust", true),
            ("host all +ann all trust", true), ("host all +Crew all trust", false),
            ("host all \"+crew\" all trust", false), ("host all crew all trust", false),
            ("host samerole all all trust", true), ("host samegroup all all trust", true),
            ("host \"samerole\" all all trust", false),
        ])
    func roles(text: String, isAbout: Bool) throws {
        let facts = HostAccessFacts(roles: ["ann", "crew", "shop"])
        let ruling = try Self.ruling(text, knowing: facts)
        if case .rule = ruling { #expect(isAbout) } else { #expect(!isAbout && ruling == .nothing) }
        #expect(try Self.ruling(text, replicates: true, knowing: facts) == .nothing || !text.contains("same"))
    }

    @Test(
        "Hosts are meant by their name, or by the end of it",
        arguments: [
            ("app.example.com", true), ("APP.Example.Com", true), (".example.com", true), (".COM", true),
            ("example.com", false), ("app.example", false), (".app.example.com", false),
            ("pp.example.com", false), ("xapp.example.com", false),
        ])
    func hosts(name: String, isAbout: Bool) throws {
        let text = "host all all \(name) trust"
        let ruling = try Self.ruling(text, knowing: HostAccessFacts(host: .named("App.example.com")))
        if case .rule = ruling { #expect(isAbout) } else { #expect(!isAbout && ruling == .nothing) }
        #expect(try Self.ruling(text, knowing: HostAccessFacts(host: .nameless)) == .nothing)
        #expect(try Self.ruling(text, .local, from: nil, knowing: HostAccessFacts()) == .nothing)
    }

    @Test(
        "Only what a line depends on is to be found out",
        arguments: [
            ("host all +crew all trust", .unknown(.roles)),
            ("host all all .example.com trust", .unknown(.hostName)),
            ("host all +crew .example.com trust", .unknown(.roles)),
            // Something else decides.
            ("host all ann,+crew all reject", .rule), ("host all,samerole all all reject", .rule),
            ("host all +crew 10.9.0.0/16 trust", .nothing), ("hostssl all +crew all trust", .nothing),
            ("host all bob .example.com trust", .nothing), ("host other +crew all trust", .nothing),
            // An earlier line does.
            ("host all ann all reject\nhost all +crew all trust", .rule),
            // A later one does not.
            ("host all +crew all trust\nhost all ann all reject", .unknown(.roles)),
        ] as [(String, Outcome)])
    func facts(text: String, expected: Outcome) throws {
        #expect(Outcome(try Self.ruling(text)) == expected)
    }

    enum Outcome: Equatable {
        case rule
        case nothing
        case unknown(HostAccessFact)

        init(_ ruling: HostAccessRules.Ruling) {
            switch ruling {
            case .rule: self = .rule
            case .nothing: self = .nothing
            case .unknown(let fact): self = .unknown(fact)
            }
        }
    }

    @Test(
        "A name with a slash in front is a regular expression",
        arguments: [
            ("host /^sh all all trust", true), ("host /op$ /a all trust", true),
            ("host /^op all all trust", false),
            ("host all /^(ann|eve)$ all trust", true), ("host all /^an$ all trust", false),
            ("host all \"/^a\" all trust", true), ("host all bob,/nn all trust", true),
        ])
    func regularExpressions(text: String, isAbout: Bool) throws {
        #expect(try Self.line(text) == (isAbout ? 1 : nil))
    }

    @Test func allLinesThatAreWrongAreTold() throws {
        let error = #expect(throws: AccessFileFindings.self) {
            try Self.read("lokal all all trust\nlocal all all trust\n\nlocal all all x\n")
        }
        #expect(error?.findings.map(\.line) == [1, 4])
    }

    @Test(arguments: [
        ("host all all all pam", "postgresql"), ("local all all pam pamservice=carom", "carom"),
        ("local all all pam \"pamservice=two words\"", "two words"),
    ])
    func aLineNamesTheServiceOfPAM(line: String, service: String) throws {
        let source = FakeFiles(contents: ["hba": line]).source
        let rules = try HostAccessRules(ofFileAt: "hba", traits: [.pam], source).rules
        #expect(rules.map(\.method) == [.pam])
        #expect(rules.map { $0.pamService ?? HostAccessRule.defaultPAMService } == [service])
    }

    @Test(
        arguments: [
            ("host all all all pam", [], "line 1: method \"pam\" needs a build with the package trait PAM"),
            ("host all all all pam pamservice=", [.pam], "line 1: 'pamservice' is empty"),
            (
                "host all all all md5 pamservice=x", [.pam],
                "line 1: 'pamservice' is for the method \"pam\""
            ),
        ] as [(String, Set<PackageTrait>, String)])
    func whatIsWrongWithPAMInALineIsSaid(line: String, traits: Set<PackageTrait>, words: String) {
        let source = FakeFiles(contents: ["hba": line]).source
        let findings = #expect(throws: AccessFileFindings.self) {
            try HostAccessRules(ofFileAt: "hba", traits: traits, source)
        }
        #expect(findings?.findings.map(\.description) == [words])
    }
}
