// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

/// A start-up packet from its code word and raw fields.
private func packet(_ code: UInt32, _ fields: [UInt8]) -> [UInt8] {
    encoded {
        $0.appendMeasured {
            $0.append32(code); $0 += fields
        }
    }
}

private func decode(_ bytes: [UInt8]) throws(StartupError) -> StartupPacket {
    try StartupPacket.decode(bytes.span.bytes)
}

private let v3 = ProtocolVersion.v3_0.code

@Suite struct StartupPacketTests {
    @Test func aStartupMessageComesBackAsItWasWritten() throws {
        let message = StartupMessage(
            version: .v3_2, user: "ada", database: "engine", replication: .logical,
            options: "-c work_mem=64", parameters: [StartupParameter("client_encoding", "UTF8")],
            protocolExtensions: [StartupParameter("_pq_.x", "1")])
        #expect(try decode(encoded { message.encode(into: &$0) }) == .startup(message))
    }

    @Test(arguments: [
        ("user\0ada\0\0", "ada"), ("user\0ada\0database\0\0\0", "ada"), ("database\0d\0user\0ada\0\0", "d"),
        ("user\0x\0user\0ada\0\0", "ada"),
    ])
    func theDatabaseIsTheUserUnlessNamed(_ fields: String, _ database: String) throws {
        guard case .startup(let message) = try decode(packet(v3, utf8(fields))) else {
            Issue.record("a startup message")
            return
        }
        #expect(message.user == "ada" && message.database == database && message.parameters.isEmpty)
    }

    @Test func parametersKeepTheirOrder() throws {
        let fields = "b\0two\0user\0u\0a\0one\0_pq_.y\0z\0b\0three\0options\0-c x=1\0\0"
        guard case .startup(let message) = try decode(packet(v3, utf8(fields))) else { return }
        #expect(message.parameters == [.init("b", "two"), .init("a", "one"), .init("b", "three")])
        #expect(message.options == "-c x=1")
        #expect(message.protocolExtensions == [.init("_pq_.y", "z")])
    }

    @Test(arguments: [
        (UInt32(0x0002_0000), "user\0u\0\0", StartupError.unsupportedVersion(.init(2, 0)), "0A000"),
        (0x0004_0001, "", .unsupportedVersion(.init(4, 1)), "0A000"),
        (0, "", .unsupportedVersion(.init(0, 0)), "0A000"),
        (v3, "\0", .missingUser, "28000"), (v3, "database\0d\0\0", .missingUser, "28000"),
        (v3, "user\0\0\0", .missingUser, "28000"),
        (v3, "", .missingTerminator, "08P01"), (v3, "user\0ada\0", .missingTerminator, "08P01"),
        (v3, "user\0ada", .missingTerminator, "08P01"), (v3, "user\0ada\0\0x", .missingTerminator, "08P01"),
        (v3, "user\0ada\0database\0", .missingTerminator, "08P01"),
        (v3, "user\0ada\0replication\0perhaps\0\0", .invalidReplication("perhaps"), "22023"),
        (StartupPacket.sslRequestCode, "x", .malformed(.trailingBytes(1)), "08P01"),
        (StartupPacket.gssEncRequestCode, "xyz", .malformed(.trailingBytes(3)), "08P01"),
        (CancelRequest.code, "", .malformed(.truncated), "08P01"),
        (CancelRequest.code, "1234abc", .invalidCancelKey(length: 3), "08P01"),
        (CancelRequest.code, String(repeating: "k", count: 261), .invalidCancelKey(length: 257), "08P01"),
    ])
    func aBadPacketIsATypedError(_ code: UInt32, _ fields: String, _ error: StartupError, _ state: String) {
        #expect(throws: error) { try decode(packet(code, utf8(fields))) }
        #expect(error.sqlState.description == state && !error.description.isEmpty)
    }

    @Test(arguments: [63, 64, 65, 1000, 9000])
    func longNamesAreCleanErrors(_ length: Int) throws {
        let name = String(repeating: "n", count: length)
        for (field, fields) in [
            ("user", "user\0\(name)\0\0"), ("database", "user\0u\0database\0\(name)\0\0"),
        ] {
            let bytes = packet(v3, utf8(fields))
            if length <= 63 {
                #expect(throws: Never.self) { try decode(bytes) }
            } else {
                #expect(throws: StartupError.nameTooLong(parameter: field, length: length)) {
                    try decode(bytes)
                }
            }
        }
    }

    @Test func namesMustBeTextButApplicationNamesAreRepaired() throws {
        let bad: [UInt8] = [0xff, 0xfe, 0]
        #expect(throws: StartupError.invalidText(parameter: "user")) {
            try decode(packet(v3, utf8("user\0") + bad + [0]))
        }
        #expect(throws: StartupError.invalidText(parameter: "search_path")) {
            try decode(packet(v3, utf8("user\0u\0search_path\0") + bad + [0]))
        }
        let bytes = packet(v3, utf8("user\0u\0application_name\0") + bad + [0])
        guard case .startup(let message) = try decode(bytes) else { return }
        #expect(message.parameters == [.init("application_name", "\u{fffd}\u{fffd}")])
    }

    @Test(arguments: [
        ("true", StartupMessage.Replication.physical), ("on", .physical), ("1", .physical),
        ("database", .logical),
        ("false", .none), ("OFF", .none), ("n", .none), ("y", .physical),
    ])
    func replicationIsABooleanOrADatabase(_ value: String, _ expected: StartupMessage.Replication) throws {
        let bytes = packet(v3, utf8("user\0u\0replication\0\(value)\0\0"))
        guard case .startup(let message) = try decode(bytes) else { return }
        #expect(message.replication == expected)
    }

    @Test func requestsAreToldApart() throws {
        #expect(try decode(encoded { StartupPacket.encodeSSLRequest(into: &$0) }) == .sslRequest)
        #expect(try decode(encoded { StartupPacket.encodeGSSEncRequest(into: &$0) }) == .gssEncRequest)
        for size in [4, 32, 256] {
            let request = CancelRequest(processID: 0xffff_fffe, key: [UInt8](repeating: 9, count: size))
            #expect(try decode(encoded { request.encode(into: &$0) }) == .cancel(request))
        }
    }

    @Test func aCancelKeyIsNeverDescribed() {
        let request = CancelRequest(processID: 7, key: [113, 114, 115, 116])
        let data = BackendKeyData(processID: 7, key: [113, 114, 115, 116])
        var shown = "\(request) \(String(reflecting: request)) \(data) \(String(reflecting: data))"
        dump(request, to: &shown)
        dump(data, to: &shown)
        #expect(!shown.contains("113") && !shown.contains("qrst"))
        #expect(data.cancelRequest == request)
    }

    @Test func aClientThatAsksForMoreIsToldWhatThereIs() throws {
        #expect(StartupMessage(user: "u").negotiation() == nil)
        #expect(StartupMessage(version: .v3_2, user: "u").negotiation() == nil)
        let grease = StartupMessage(
            version: .init(3, 9999), user: "u",
            protocolExtensions: [.init("_pq_.test_protocol_negotiation", "")])
        let answer = try #require(grease.negotiation())
        #expect(answer == .init(version: .v3_2, unrecognised: ["_pq_.test_protocol_negotiation"]))
        #expect(
            try NegotiateProtocolVersion(body: body(encoded { answer.encode(into: &$0) }).span.bytes)
                == answer)
        let old = StartupMessage(version: .v3_0, user: "u", protocolExtensions: [.init("_pq_.a", "b")])
        #expect(old.negotiation()?.version == .v3_0)
        #expect(StartupMessage(version: .v3_2, user: "u").negotiation(newest: .v3_0)?.version == .v3_0)
    }

    @Test func aBareMinorNumberIsUnderstoodToo() throws {
        let bytes: [UInt8] = [0, 0, 0, 2, 0, 0, 0, 0]
        #expect(try NegotiateProtocolVersion(body: bytes.span.bytes).version == .v3_2)
    }

    @Test(arguments: 1...300)
    func brokenPacketsNeverTrap(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var bytes = encoded {
            StartupMessage(user: "ada", options: "-c a=b\\ c --d-e=f", parameters: [.init("x", "y")]).encode(
                into: &$0)
        }
        for _ in 0..<4 {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        let cut = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
        for candidate in [bytes, cut] {
            if case .startup(let message)? = try? decode(candidate) {
                #expect(!message.user.isEmpty && message.user.utf8.count <= 63, "seed \(seed)")
            }
        }
    }
}

@Suite struct StartupOptionsTests {
    @Test(arguments: [
        ("-c a=b", ["a=b"]), ("-ca=b", ["a=b"]), ("--a=b", ["a=b"]), ("--work-mem=64", ["work_mem=64"]),
        ("  -c  a=b\t--c=d\n", ["a=b", "c=d"]),
        ("-c search_path=a\\ b", ["search_path=a b"]), ("-c a=b\\\\c", ["a=b\\c"]), ("-c a=b=c", ["a=b=c"]),
        ("-c a=", ["a="]),
        ("-c x.y-z=1", ["x.y_z=1"]), ("", []), ("\\", []), ("-c a=b -c a=c", ["a=b", "a=c"]),
    ])
    func settingsAreReadAsPostgreSQLReadsThem(_ options: String, _ expected: [String]) {
        let parsed = StartupOptions(options)
        #expect(parsed.settings.map { "\($0.name)=\($0.value)" } == expected)
    }

    /// What PostgreSQL 15 has in `pg_settings` with source `client` after these, or says about their settings.
    @Test(arguments: [
        ("-e", "DateStyle=euro"), ("-F", "fsync=false"), ("-f s", "enable_seqscan=false"),
        ("-fi", "enable_indexscan=false"), ("-f o", "enable_indexonlyscan=false"),
        ("-f b", "enable_bitmapscan=false"), ("-f t", "enable_tidscan=false"),
        ("-f n", "enable_nestloop=false"),
        ("-f m", "enable_mergejoin=false"), ("-f h", "enable_hashjoin=false"),
        ("-f so", "enable_seqscan=false"),
        ("-fsfi", "enable_seqscan=false"), ("-fs -fi", "enable_seqscan=false enable_indexscan=false"),
        ("-esfh", "DateStyle=euro log_statement_stats=true enable_hashjoin=false"),
        ("-B 100", "shared_buffers=100"), ("-B100", "shared_buffers=100"), ("-h x", "listen_addresses=x"),
        ("-i", "listen_addresses=*"), ("-k /tmp", "unix_socket_directories=/tmp"), ("-l", "ssl=true"),
        ("-N 5", "max_connections=5"), ("-O", "allow_system_table_mods=true"),
        ("-P", "ignore_system_indexes=true"), ("-p 5", "port=5"), ("-S 64", "work_mem=64"),
        ("-s", "log_statement_stats=true"), ("-t pa", "log_parser_stats=true"),
        ("-t parser", "log_parser_stats=true"),
        ("-tpl -tex", "log_planner_stats=true log_executor_stats=true"),
        ("-t e", "log_executor_stats=true"), ("-W 3", "post_auth_delay=3"),
        ("-r file -v 3 -D x -C port -b -E -j -n -T", ""), ("-r x -O", "allow_system_table_mods=true"),
        ("--", ""), ("-e --", "DateStyle=euro"), ("-ecgeqo=off", "DateStyle=euro geqo=off"),
        ("-e--geqo=off", "DateStyle=euro _geqo=off"), ("-c -geqo=1", "_geqo=1"), ("-c=1", "=1"),
        ("--=x", "=x"),
        ("-c geqo=", "geqo="), ("-c Work-Mem=1MB", "Work_Mem=1MB"), ("-c -e=1 -e", "_e=1 DateStyle=euro"),
        ("-d 0", "log_min_messages=notice"), ("-d x", "log_min_messages=notice"),
        ("-d -1", "log_min_messages=notice"), ("-de", "log_min_messages=notice"),
        ("-d 1", "log_min_messages=debug1"),
        ("-d 2", "log_min_messages=debug2 log_statement=all"),
        ("-d 3abc", "log_min_messages=debug3 log_statement=all debug_print_parse=true"),
        ("-d \\ +3", "log_min_messages=debug3 log_statement=all debug_print_parse=true"),
        ("-d4", "log_min_messages=debug4 log_statement=all debug_print_parse=true debug_print_plan=true"),
        (
            "-d 5",
            "log_min_messages=debug5 log_statement=all debug_print_parse=true debug_print_plan=true debug_print_rewritten=true"
        ),
        (
            "-d 99999999999",
            "log_min_messages=debug1215752191 log_statement=all debug_print_parse=true debug_print_plan=true debug_print_rewritten=true"
        ),
    ])
    func aSwitchStandsForItsSettings(_ options: String, _ expected: String) {
        let parsed = StartupOptions(options)
        #expect(parsed.settings.map { "\($0.name)=\($0.value)" }.joined(separator: " ") == expected)
        #expect(parsed.refusal == nil)
    }

    /// What PostgreSQL 15 says, each with SQLSTATE 42601.
    @Test(arguments: [
        ("-c", "-c"), ("-d", "-d"), ("-f", "-f"), ("-f x", "x"), ("-fx", "-fx"), ("-f S", "S"), ("-f \\", ""),
        ("-t", "-t"), ("-t x", "x"), ("-t p", "p"), ("-t PA", "PA"), ("-x", "-x"), ("-?", "-?"), ("-V", "-V"),
        ("-w", "-w"), ("-o x", "-o"), ("-ec", "-ec"), ("-sB", "-sB"), ("-e-", "-e-"), ("-e=", "-e="),
        ("-ey", "-ey"),
        ("-yz", "postgres"), ("-ye", "postgres"), ("-e=1", "postgres"), ("-e -yz", "-e"), ("-S 64 -yz", "64"),
        ("foo -yz", "foo"), ("-y -z", "-y"), ("-ef x -z", "x"), ("-efx", "-efx"), ("-ey -F", "-ey"),
        ("foo", "foo"), ("-", "-"), ("foo -y", "-y"), ("-c geqo=off bar", "bar"), ("bar -c geqo=off", "bar"),
        ("foo -- bar", "foo"), ("-e -- foo", "foo"), ("-- -y", "-y"), ("-y --", "-y"), ("-S 64 foo", "foo"),
    ])
    func whatIsNoSwitchIsRefused(_ options: String, _ word: String) {
        let parsed = StartupOptions(options)
        #expect(parsed.refusal == .invalidArgument(word))
        #expect(parsed.refusal?.message == "invalid command-line argument for server process: \(word)")
        #expect(parsed.refusal?.hint == "Try \"postgres --help\" for more information.")
        #expect(parsed.rejected == [word])
    }

    @Test(arguments: [
        ("-c novalue", "-c novalue"), ("-cgeqo", "-c geqo"), ("--geqo", "--geqo"), ("-ec geqo", "-c geqo"),
        ("-c geqo=off --geqo", "--geqo"), ("--help", "--help"), ("-c a-b", "-c a-b"), ("-c \\", "-c "),
    ])
    func aSettingWithoutAValueIsRefused(_ options: String, _ setting: String) {
        #expect(StartupOptions(options).refusal == .valueRequired(setting))
        #expect(StartupOptions(options).refusal?.message == "\(setting) requires a value")
        #expect(StartupOptions(options).refusal?.hint == nil)
    }

    /// A server refuses what it can set first: `fsync` here, not the word.
    @Test(arguments: ["-F foo", "foo -F", "-F -y", "-F - x", "foo - -F", "-F -c geqo"])
    func settingsBeforeWhatIsRefusedStay(_ options: String) {
        #expect(StartupOptions(options).settings == [StartupParameter("fsync", "false")])
        #expect(StartupOptions(options).refusal != nil)
    }
}
