// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import CaromConfiguration

/// What `SET` makes of an ini file.
@Suite struct IniConfigurationTests {
    private static let main = """
        [pgbouncer]
        auth_type = any
        admin_users = boss
        default_pool_size = 7
        unix_socket_dir = /tmp
        [databases]
        a = pool_mode=transaction
        b =
        """

    /// A file of this text, which is gone afterwards.
    private func withFile(_ text: String, _ body: (URL) throws -> Void) throws {
        let directory = FileManager.default.temporaryDirectory
        let file = directory.appendingPathComponent("\(UUID().uuidString).ini")
        try Data(text.utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        try body(file)
    }

    private func entry(_ key: String, _ value: String) throws -> LiveChange {
        .entry(try #require(try IniChange(key, to: value)))
    }

    private func mode(_ file: ConfigurationFile, _ database: String) -> PoolingMode? {
        file.settings.routes.first { $0.pattern.database == .exact(database) }?.pool
    }

    private func shown(_ file: ConfigurationFile, _ name: String) -> String? {
        file.ini?.entries.first { $0.name == name }?.value
    }

    @Test func whatIsSetMeansWhatItWouldAtTheEndOfTheFile() throws {
        try withFile(Self.main) { file in
            let first = try ConfigurationFile.load(path: file.path)
            #expect(mode(first, "b") == .session && shown(first, "pool_mode") == "session")
            let second = try #require(first.ini).changed(by: try entry("pool_mode", "statement"))
            #expect(mode(second, "a") == .transaction && mode(second, "b") == .statement)
            let third = try #require(second.ini).changed(by: try entry("default_pool_size", "3"))
            #expect(mode(third, "b") == .statement && shown(third, "default_pool_size") == "3")
            try Data((Self.main + "\n[pgbouncer]\npool_mode = statement\ndefault_pool_size = 3\n").utf8)
                .write(to: file)
            let again = try #require(second.ini).changed(by: try entry("max_client_conn", "5"))
            #expect(shown(again, "default_pool_size") == "7", "the file is as it was read")
        }
    }

    @Test func aChangeThatTheFileCouldNotMakeIsRefusedAsThere() throws {
        try withFile(Self.main) { file in
            let ini = try #require(try ConfigurationFile.load(path: file.path).ini)
            let change = try entry("auth_type", "md5")
            do throws(ConfigurationErrors) {
                _ = try ini.changed(by: change)
                Issue.record("there is no auth_file")
            } catch {
                #expect(error.diagnostics.contains { $0.message.contains("auth_type md5 needs auth_file") })
            }
        }
    }

    @Test func keysAndValuesAreThoseOfTheFile() throws {
        for name in ["log_query", "client_max"] { #expect(try IniChange(name, to: "1") == nil, "\(name)") }
        #expect(throws: SettingChange.Refusal.fixed) { try IniChange("pidfile", to: "/tmp/a") }
        #expect(throws: SettingChange.Refusal.fixed) { try IniChange("pkt_buf", to: "1") }
        let objection = try #require(IniKeys.main["max_client_conn"]?.objection(to: "many"))
        #expect(throws: SettingChange.Refusal.invalid(objection.message)) {
            try IniChange("max_client_conn", to: "many")
        }
    }

    @Test func directivesWithoutAKeyAreSetBesideThem() throws {
        try withFile(Self.main) { file in
            let first = try ConfigurationFile.load(path: file.path)
            let change = LiveChange.directive(SettingChange("log_query", to: .flag(true)))
            let second = try #require(first.ini).changed(by: change)
            let third = try #require(second.ini).changed(by: try entry("max_client_conn", "5"))
            let settings = try #require(third.ini).applyDirectives(to: third.settings)
            #expect(settings.logQuery && settings.clientMax == 5 && !first.settings.logQuery)
        }
    }

    /// Else the order of two `SET` would not tell what holds.
    @Test func directivesBesideTheKeysAreWhatNoKeySets() throws {
        let text =
            Self.main + "\n[pgbouncer]\nauth_type = any\nverbose = 1\nlog_stats = 0\nmax_client_conn = 9\n"
        let settings = try ConfigurationFile.parse(text: text, file: "a.ini").settings
        let standard = Dictionary(uniqueKeysWithValues: Settings().entries.map { ($0.name, $0.value) })
        for entry in settings.entries where IniConfiguration.directives.contains(entry.name) {
            #expect(entry.value == standard[entry.name] ?? nil, "\(entry.name)")
            #expect(!entry.needsRestart)
        }
        #expect(IniConfiguration.directives.isSubset(of: settings.entries.map(\.name)))
        #expect(IniConfiguration.directives.isDisjoint(with: IniKeys.main.keys.map(\.name)))
    }

    @Test func secretsDoNotPrint() throws {
        try withFile(Self.main + "\nc = user=joe password=sesame\n") { file in
            let ini = try #require(try ConfigurationFile.load(path: file.path).ini)
            var dumped = ""
            dump(ini, to: &dumped)
            #expect(!"\(ini) \(String(reflecting: ini)) \(dumped)".contains("sesame"))
        }
    }
}
