// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// What is said about a wrong configuration, word for word: where, what, and what would be right.
@Suite struct OdysseyDiagnosticTests {
    private static let words = "a.conf:6:"

    /// The text stands on line 6, behind a good configuration.
    @Test(arguments: [
        ("wrokers 2", ["1: error: unknown directive 'wrokers'\nhint: did you mean 'workers'?"]),
        (
            "workers 0",
            ["9: error: workers: 0 is out of range; expected a whole number from 1 to 1024 or \"auto\""]
        ),
        (
            "workers \"x\"",
            ["9: error: workers: expected a whole number from 1 to 1024 or \"auto\", found a string"]
        ),
        (
            "workers 99999999999999999999",
            [
                "9: error: workers: 99999999999999999999 is out of range; expected a whole number from 1 to 1024 or \"auto\""
            ]
        ),
        (
            "workers",
            [
                "8: error: workers: expected a whole number from 1 to 1024 or \"auto\", found the end of the file"
            ]
        ),
        (
            "workers log_debug yes",
            ["9: error: workers: expected a whole number from 1 to 1024 or \"auto\", found 'log_debug'"]
        ),
        (
            "workers { a 1 } log_debug yes",
            ["9: error: workers: expected a whole number from 1 to 1024 or \"auto\", found '{'"]
        ),
        (
            "log_debug \"yes\"",
            [
                "11: error: log_debug: expected yes or no, found a string\nhint: yes and no stand without quotes"
            ]
        ),
        ("log_debug maybe", ["11: error: log_debug: expected yes or no, found 'maybe'"]),
        (
            "log_debug yes log_debug no",
            ["15: error: duplicate directive 'log_debug'; it was given at a.conf:6:1"]
        ),
        (
            "log_file yes",
            [
                "10: error: log_file: expected a string in double quotes, found 'yes'\nhint: a string would be \"yes\""
            ]
        ),
        ("log_file \"\"", ["10: error: log_file: expected a string in double quotes, found an empty string"]),
        ("log_file \"abc\nworkers 3 {", ["10: error: the string that begins here is never closed"]),
        ("listen { host \"abc", ["15: error: the string that begins here is never closed"]),
        (
            "log_file \"a\u{0}b\"",
            [
                "10: error: a string cannot contain a NUL byte",
                "10: error: log_file: expected a string in double quotes, found an empty string",
            ]
        ),
        (
            "log_format \"%y\"",
            [
                "12: error: log_format: unknown escape %y in the format; allowed: %n %t %e %p %T %i %s %u %d %c %l %m %M %h %r %H %x %%"
            ]
        ),
        ("daemonize 1", ["11: error: daemonize: expected yes or no, found '1'"]),
        ("daemonize yes", []),
        (
            "cache 10 resolvers 2",
            ["1: warning: 'cache' has no effect", "10: warning: 'resolvers' has no effect"]
        ),
        ("priority 10", ["1: error: directive 'priority' is Odyssey's and not supported"]),
        (
            "port 10",
            [
                "1: error: unknown directive 'port'\nhint: 'port' belongs in 'listen' or in 'resolver' or in 'storage'"
            ]
        ),
        (
            "unknown_thing 10 { a { b } } log_debug x",
            [
                "1: error: unknown directive 'unknown_thing'",
                "40: error: log_debug: expected yes or no, found 'x'",
            ]
        ),
        ("}", ["1: error: '}' closes nothing"]),
        ("{ a }", ["1: error: expected a directive, found '{'"]),
        ("\"text\" 12 log_debug yes", ["1: error: expected a directive, found a string"]),
        (
            ";",
            [
                "1: error: unexpected character ;\nhint: a directive is a name and a value, nothing between or behind them"
            ]
        ),
        (
            "\u{e9} $",
            ["1: error: unexpected byte 0xC3 outside a string", "3: error: unexpected character $"]
        ),
        (
            "stats_interval 10s",
            [
                "16: error: stats_interval: expected a whole number of at least 1, found '10s'\nhint: the value is in seconds and has no suffix"
            ]
        ),
        (
            "stats_interval -1",
            ["16: error: stats_interval: -1 is out of range; expected a whole number of at least 1"]
        ),
        (
            "readahead 1kb",
            ["11: error: readahead: 1kb is out of range; expected a size from 4096 to 16777216 bytes"]
        ),
        (
            "readahead 9999999999999999999gb",
            [
                "11: error: readahead: 9999999999999999999gb is out of range; expected a size from 4096 to 16777216 bytes"
            ]
        ),
        (
            "readahead 1x",
            [
                "11: error: readahead: expected a size from 4096 to 16777216 bytes, found '1x'; suffixes are b, k, kb, m, mb, g, gb"
            ]
        ),
        (
            "unix_socket_dir \"/tmp\"",
            ["1: error: unix_socket_dir needs unix_socket_mode\nhint: such as unix_socket_mode \"0770\""]
        ),
        (
            "unix_socket_mode \"0888\"",
            [
                "18: error: unix_socket_mode: expected an octal number in double quotes, from \"0000\" to \"0777\", found \"0888\""
            ]
        ),
        (
            "include \"x\"",
            ["1: error: include: \"x\" cannot be read: a configuration without a file cannot include one"]
        ),
        (
            "include x",
            ["9: error: include: expected a path in double quotes, found 'x'\nhint: a string would be \"x\""]
        ),
    ])
    func whatIsWrongAtTheTopIsSaid(text: String, expected: [String]) {
        #expect(findings(in: smallest + "\n" + text) == expected.map { Self.words + $0 })
    }

    @Test(arguments: [
        ("listen {}", ["1: error: 'listen' needs a host, or unix_socket_dir must be set for a Unix socket"]),
        (
            "listen { host \"*\" }",
            ["1: error: two listeners on * with port 6432; the other one is at a.conf:1:1"]
        ),
        (
            "listen host",
            [
                "8: error: expected '{' of 'listen', found 'host'",
                "8: error: unknown directive 'host'\nhint: 'host' belongs in 'listen' or in 'resolver' or in 'storage'",
            ]
        ),
        ("listen { host \"a\"", ["1: error: the block 'listen' that begins here is never closed"]),
        (
            "listen { host \"a\" tls \"require\" }",
            ["19: error: tls \"require\" needs tls_cert_file and tls_key_file"]
        ),
        (
            "listen { host \"a\" tls \"verfy_full\" }",
            [
                "23: error: tls: unknown value \"verfy_full\"; allowed: \"disable\", \"allow\", \"prefer\", \"require\", \"verify_ca\", \"verify_full\"\nhint: did you mean \"verify_full\"?"
            ]
        ),
        (
            "listen { host \"a\" tls \"verify_ca\" tls_cert_file \"c\" tls_key_file \"k\" }",
            ["19: error: tls \"verify_ca\" needs tls_ca_file to check clients by"]
        ),
        (
            "listen { host \"a\" tls_protocols \"sslv3\" }",
            [
                "33: error: tls_protocols: unknown TLS protocol \"sslv3\"; allowed are tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3, secure, all"
            ]
        ),
        (
            "listen { host \"a\" port 0 compression no }",
            [
                "24: error: port: 0 is out of range; expected a whole number from 1 to 65535",
                "26: warning: 'compression' has no effect",
            ]
        ),
        (
            "stats_listen \"localhost:9187\"",
            [
                "14: error: stats_listen: expected an address and a port in double quotes, such as \"127.0.0.1:9187\", found \"localhost:9187\""
            ]
        ),
        (
            "stats_listen \"0\"",
            ["14: error: stats_listen: \"0\" is no port; expected a whole number from 1 to 65535"]
        ),
        ("storage { }", ["9: error: storage: expected a string in double quotes, found '{'"]),
        (
            "storage x { type \"remote\" host \"h\" }",
            [
                "9: error: storage: expected a string in double quotes, found 'x'\nhint: a string would be \"x\""
            ]
        ),
        (
            "storage \"pg\" { type \"remote\" host \"h\" }",
            ["1: error: storage \"pg\" is already defined at a.conf:2:1"]
        ),
        (
            "storage \"x\" { }",
            [
                "1: error: storage \"x\" needs a type; allowed: \"remote\", \"local\"",
                "1: error: storage \"x\" needs one of host, srv, hosts_file, resolver",
            ]
        ),
        (
            "storage \"x\" { type \"local\" host \"h\" port 1 }",
            [
                "28: error: 'host' has no meaning for a storage of type \"local\"",
                "37: error: 'port' has no meaning for a storage of type \"local\"",
            ]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h,h:5432\" }",
            ["29: warning: host: \"h:5432\" is listed twice and counts once"]
        ),
        (
            "storage \"x\" { type \"remote\" host \"::1\" }",
            ["34: error: host: the IPv6 address \"::1\" needs brackets\nhint: write \"[::1]\""]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h:pg\" }",
            ["34: error: host: \"pg\" in \"h:pg\" is no port; expected a whole number from 1 to 65535"]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h\" srv \"_a._tcp.b\" }",
            ["38: error: storage \"x\" can have only one of host, srv, hosts_file, resolver"]
        ),
        (
            "storage \"x\" { type \"remote\" srv \"b.c\" }",
            ["33: error: srv: \"b.c\" is no name of SRV records; expected _service._protocol.domain"]
        ),
        (
            "storage \"x\" { type \"remote\" srv \"_a._tcp.b\" port 1 }",
            ["45: warning: 'port' has no effect: SRV records carry the ports"]
        ),
        (
            "storage \"x\" { type \"remote\" host \"1.2.3.4\" nameserver \"1.1.1.1\" }",
            ["44: warning: 'nameserver' has no effect: none of the hosts is a name"]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h\" nameserver \"ns\" }",
            ["49: error: nameserver: a name server is given by its address, not as \"ns\""]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h\" tls_key_file \"k\" }",
            ["38: error: tls_cert_file and tls_key_file need each other"]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h\" tls \"verify_ca\" tls_crl_file \"r\" }",
            ["54: error: tls_crl_file needs tls_ca_file"]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h\" tls \"prefer\" tls_negotiation \"direct\" }",
            [
                "51: error: tls_negotiation \"direct\" needs tls \"require\", \"verify_ca\" or \"verify_full\""
            ]
        ),
        (
            "storage \"x\" { balancing { } }",
            ["15: error: directive 'balancing' in 'storage' is Odyssey's and not supported"]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h\" watchdog { storage_db \"d\" watchdog_lag_interval 0 } }",
            [
                "86: error: watchdog_lag_interval: 0 is out of range; expected a whole number of at least 1"
            ]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h\" watchdog { storage_db \"d\" } }",
            ["38: error: watchdog needs 'storage_user'"]
        ),
        (
            "storage \"x\" { type \"remote\" host \"h\" watchdog 5 }",
            [
                "47: error: expected '{' of 'watchdog', found '5'",
                "47: error: expected a directive, found '5'",
            ]
        ),
    ])
    func whatIsWrongInABlockIsSaid(text: String, expected: [String]) {
        #expect(findings(in: smallest + "\n" + text) == expected.map { Self.words + $0 })
    }

    @Test func nothingAtAllIsNoConfiguration() {
        for text in ["", " # nothing\n"] {
            #expect(
                findings(in: text) == [
                    "a.conf:1:1: error: there is no 'listen' block, so no client could connect",
                    "a.conf:1:1: error: there is no route: no 'user' block in any 'database' block",
                ])
        }
    }

    @Test func mixedUpQuotesDoNotRevealAPassword() {
        let text = """
            listen { host "*" }
            storage "pg" { type "remote host "h" }
            database default { user default { authentication "md5" password "s3cret" storage "pg" pool "session" } }
            storage "two" { type "remote" host h" port 5 }
            database "x" { user "y" { authentication "md5" password "4ever" storage "two" pool "session" } }
            """
        let found = findings(in: text)
        #expect(found.contains { $0.hasPrefix("a.conf:2:") })
        for secret in ["s3cret", "4ever"] { #expect(!found.contains { $0.contains(secret) }, "\(found)") }
    }

    @Test func everyMistakeIsReportedInOneRun() {
        let text = """
            workers 0
            listen {
                prt 6432
                tls "maybe"
            }
            storage "pg" { type "remote" host "a,,b" }
            database default {
                user default { authentication "none" storage "gp" pool "session" }
            """
        #expect(
            findings(in: text) == [
                "a.conf:1:9: error: workers: 0 is out of range; expected a whole number from 1 to 1024 or \"auto\"",
                "a.conf:3:5: error: unknown directive 'prt' in 'listen'\nhint: did you mean 'port'?",
                "a.conf:4:9: error: tls: unknown value \"maybe\"; allowed: \"disable\", \"allow\", \"prefer\", \"require\", \"verify_ca\", \"verify_full\"",
                "a.conf:6:35: error: host: the list has an empty entry",
                "a.conf:7:1: error: the block 'database' that begins here is never closed",
                "a.conf:8:42: error: storage \"gp\" is not defined",
            ])
    }

    @Test func aConfigurationThatIsNotUTF8IsRefused() {
        let bytes = Array((smallest + "\nlog_file \"").utf8) + [0xE9] + Array("\"".utf8)
        do throws(ConfigurationErrors) {
            _ = try ConfigurationFile.parse(bytes, file: "a.conf", source: .none)
            Issue.record("a Latin-1 string was accepted")
        } catch {
            #expect(
                error.diagnostics.first?.description == "a.conf:6:10: error: the string is not valid UTF-8")
        }
    }
}
