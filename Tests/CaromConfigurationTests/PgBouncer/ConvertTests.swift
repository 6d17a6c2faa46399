// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromConfiguration

/// What `carom convert` prints says the same as the file.
@Suite struct ConvertTests {
    @Test(arguments: 1...12 as ClosedRange<UInt64>)
    func randomFilesSayTheSameInTheOtherGrammar(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        var readable = 0
        for _ in 0..<25 {
            let text = randomFile(&random)
            let users =
                "\"joe\" \"a\\\"\"b\\\\\"\n\"asker\" \"x\"\n\"old\" \"md5d41d8cd98f00b204e9800998ecf8427e\"\n"
            guard let settings = try? IniFiles(text, users: users).settings else { continue }
            readable += 1
            for again in [settings.file, settings.description.contains("***") ? nil : settings.description] {
                guard let again else { continue }
                let converted = try ConfigurationFile.parse(text: again).settings
                #expect(converted == settings, "\(text)\n\n\(again)")
            }
        }
        #expect(readable > 5)
    }

    @Test func aFileHasNothingThatHoldsAnyway() throws {
        let text = try ConfigurationFile.parse(text: smallest).settings.file
        #expect(
            text == """

                listen {
                    host "*"
                }

                storage "pg" {
                    type "remote"
                    host "127.0.0.1"
                }

                database default {
                    user default {
                        authentication "none"
                        storage "pg"
                        pool "session"
                    }
                }

                """)
    }

    @Test func quotesInAListAreEscaped() throws {
        let settings = try IniFiles("[pgbouncer]\n\(iniAccess)ignore_startup_parameters = a\"b, C\n").settings
        #expect(settings.ignoreStartupParameters == ["a\"b", "c"])
        #expect(try ConfigurationFile.parse(text: settings.file).settings == settings)
    }

    @Test func onlyAFileShowsSecrets() throws {
        let settings = try IniFiles("[databases]\na = password='p\"w'\n[pgbouncer]\n\(iniAccess)").settings
        #expect(settings.file.contains("storage_password \"p\\\"w\""))
        #expect(!settings.description.contains("p\\\"w") && settings.description.contains("***"))
    }

    /// Any keys with any of their values, most of which fit together.
    private func randomFile(_ random: inout SeededRandom) -> String {
        var lines = ["[pgbouncer]", "auth_file = users", "admin_users = joe"]
        func some(_ section: IniKeys.Section, _ random: inout SeededRandom) -> [(String, String)] {
            let count = Int.random(in: 0...12, using: &random)
            return (0..<count).map { _ in
                let key = section.keys.randomElement(using: &random)!
                return (key.name, value(key, &random))
            }
        }
        for (key, value) in some(IniKeys.main, &random) { lines.append("\(key) = \(value)") }
        lines += ["auth_hba_file = h", "auth_dbname = a", "unix_socket_dir = /x", "[databases]"]
        for name in ["a", "*", "\"b c\""] where Bool.random(using: &random) || name == "a" {
            let pairs = some(IniKeys.database, &random).filter { !$0.1.isEmpty }
            lines.append("\(name) = \(pairs.map { "\($0.0)='\($0.1)'" }.joined(separator: " "))")
        }
        lines.append("[users]")
        for name in ["joe", "x"] {
            let pairs = some(IniKeys.user, &random)
            lines.append("\(name) = \(pairs.map { "\($0.0)=\($0.1)" }.joined(separator: " "))")
        }
        return lines.joined(separator: "\n")
    }

    private func value(_ key: IniKey, _ random: inout SeededRandom) -> String {
        switch key.name {
        case "host":
            return ["10.0.0.1", "::1,10.0.0.2", "db.example", "/run/x", "db.example,10.0.0.1"].randomElement(
                using: &random)!
        case "listen_addr": return ["*", "127.0.0.1", "::1, localhost"].randomElement(using: &random)!
        case "auth_user": return "asker"
        case "auth_dbname": return "a"
        case "auth_query": return "SELECT 1, $1"
        case "server_check_query": return ["", "<empty>", "select 1;"].randomElement(using: &random)!
        case "server_reset_query": return ["", "discard all", "RESET ALL"].randomElement(using: &random)!
        default: break
        }
        switch key.kind {
        case .text: return ["x", "a\"b", "back\\slash", "two, words"].randomElement(using: &random)!
        case .number(let range):
            return
                "\([range.lowerBound, min(range.upperBound, 7), min(range.upperBound, 300)].randomElement(using: &random)!)"
        case .flag: return Bool.random(using: &random) ? "1" : "0"
        case .time: return ["0", "1", "0.25", "17.1234", "86400"].randomElement(using: &random)!
        case .word(let words): return words.randomElement(using: &random)!
        case .tlsMode: return ["disable", "allow", "prefer", "require"].randomElement(using: &random)!
        case .tlsProtocols: return ["secure", "all", "tlsv1.3"].randomElement(using: &random)!
        }
    }
}
