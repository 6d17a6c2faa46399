// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// A draft is all a grammar has to make: settings do not depend on how their text was written.
@Suite struct DraftTests {
    /// A front end without a grammar: values come line by line, each from its own line.
    private struct Front {
        var draft = ConfigurationDraft(file: "made.ini")
        private var line = 0

        mutating func position() -> ConfigurationPosition {
            line += 1
            return ConfigurationPosition(file: "made.ini", line: line, column: 1)
        }

        mutating func set<Scope: ConfigurationScope>(
            _ block: inout ConfigurationBlock<Scope>, _ name: String, _ content: ConfigurationValue.Content
        ) -> Bool {
            let position = position()
            return block.set(
                name, to: ConfigurationValue(content, at: position), at: position, findings: &draft.findings)
        }

        mutating func build(
            top: [(String, ConfigurationValue.Content)] = [], listen: [(String, ConfigurationValue.Content)],
            storage: [(String, ConfigurationValue.Content)], route: [(String, ConfigurationValue.Content)]
        ) {
            for (name, content) in top {
                var block = draft.top
                #expect(set(&block, name, content))
                draft.top = block
            }
            var listener = ConfigurationBlock(ListenSettings(), at: position())
            for (name, content) in listen { #expect(set(&listener, name, content)) }
            var servers = ConfigurationBlock(StorageSettings(name: "pg"), at: position())
            for (name, content) in storage { #expect(set(&servers, name, content)) }
            let pattern = RoutePattern(database: .exact("shop"), user: .anything)
            var clients = ConfigurationBlock(RouteSettings(pattern: pattern), at: position())
            for (name, content) in route { #expect(set(&clients, name, content)) }
            clients.addParameter(
                SessionParameter(name: "work_mem", value: "1MB"), to: \.options, section: "options",
                at: position(), findings: &draft.findings)
            draft.listeners = [listener]
            draft.storages = [servers]
            draft.routes = [clients]
        }
    }

    @Test func aDraftMadeByHandBecomesTheSettingsOfTheSameText() throws {
        var front = Front()
        front.build(
            top: [("workers", .string("auto")), ("log_debug", .flag(true)), ("readahead", .number("16kb"))],
            listen: [("host", .string("*")), ("port", .number("6432"))],
            storage: [("type", .string("remote")), ("host", .string("10.0.0.1,b.example:5433"))],
            route: [
                ("authentication", .string("scram-sha-256")), ("password", .string("secret\\")),
                ("storage", .string("pg")), ("pool", .string("transaction")), ("pool_size", .number("8")),
            ])
        let text = #"""
            workers "auto" log_debug yes readahead 16kb
            listen { host "*" port 6432 }
            storage "pg" { type "remote" host "10.0.0.1,b.example:5433" }
            database "shop" { user default {
                authentication "scram-sha-256" password "secret\\" storage "pg" pool "transaction" pool_size 8
                options { "work_mem" "1MB" }
            } }
            """#
        #expect(try front.draft.checked() == ConfigurationFile.parse(text: text))
    }

    @Test func mistakesOfADraftArePlacedInItsOwnFile() {
        var front = Front()
        front.build(
            top: [("workers", .number("0")), ("log_query", .flag(true)), ("log_query", .flag(false))],
            listen: [], storage: [("type", .string("remote"))],
            route: [("authentication", .string("md5")), ("pool", .word("transaction"))])
        var found: [String] = []
        do throws(ConfigurationErrors) { _ = try front.draft.checked() } catch {
            found = error.diagnostics.map(\.description)
        }
        #expect(
            found == [
                "made.ini:1:1: error: workers: 0 is out of range; expected a whole number from 1 to 1024 or \"auto\"",
                "made.ini:3:1: error: duplicate directive 'log_query'; it was given at made.ini:2:1",
                "made.ini:5:1: error: storage \"pg\" needs one of host, srv, hosts_file, resolver",
                "made.ini:9:1: error: pool: expected one of \"session\", \"transaction\", \"statement\", found 'transaction'\nhint: a string would be \"transaction\"",
            ])
    }

    @Test func anUnknownDirectiveIsLeftToTheGrammar() {
        var front = Front()
        var block = front.draft.top
        #expect(!front.set(&block, "pool_mode", .string("transaction")))
        #expect(front.draft.findings.diagnostics == [] && block.value == Settings())
    }
}
