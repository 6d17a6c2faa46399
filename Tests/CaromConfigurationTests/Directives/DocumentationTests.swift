// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// `docs/configuration.adoc` says what the code does.
@Suite struct DocumentationTests {
    private let lines: [Substring]

    init() throws {
        let root = #filePath.split(separator: "/").dropLast(4).map { "/\($0)" }.joined()
        let bytes = try ConfigurationSource.files.read(root + "/docs/configuration.adoc").get()
        lines = String(decoding: bytes, as: UTF8.self).split(
            separator: "\n", omittingEmptySubsequences: false)
    }

    @Test func theExampleIsAConfiguration() throws {
        let start = try #require(lines.firstIndex(of: "[source,conf]"))
        let example = lines[(start + 2)...].prefix { $0 != "----" }.joined(separator: "\n")
        let file = try ConfigurationFile.parse(text: example)
        #expect(file.warnings == [])
        #expect(
            file.settings.routes.map(\.pattern.description) == [
                "shop.application", "shop.default", "default.admin",
            ])
        #expect(file.settings.listeners.count == 2 && file.settings.storages.count == 2)
    }

    @Test func everyDirectiveIsListedWithItsDefault() throws {
        try check(Settings.directives, Settings(), under: "== At the top of the file")
        try check(ListenSettings.directives, ListenSettings(), under: "== `listen { … }`")
        try check(
            ResolverSettings.directives, ResolverSettings(name: "x"), under: "== `resolver \"name\" { … }`",
            required: ["type"])
        try check(
            StorageSettings.directives, StorageSettings(name: "x"), under: "== `storage \"name\" { … }`",
            required: ["type"])
        try check(
            WatchdogSettings.directives, WatchdogSettings(), under: "== `watchdog { … }` [[watchdog]]",
            required: ["storage_db", "storage_user"])
        try check(DatabaseScope.directives, DatabaseScope(), under: "== `database \"name\" { … }`")
        try check(
            SharedPoolSettings.directives, SharedPoolSettings(name: "x"),
            under: "== `shared_pool \"name\" { … }`", required: ["pool_size"])
        try check(
            PeerSettings.directives, PeerSettings(name: "1"), under: "== `peer \"number\" { … }` [[peers]]",
            required: ["host"])
        try check(
            LDAPEndpointSettings.directives, LDAPEndpointSettings(name: "x"),
            under: "== `ldap_endpoint \"name\" { … }`", required: ["ldapserver"])
        let pattern = RoutePattern(database: .anything, user: .anything)
        try check(
            RouteSettings.directives, RouteSettings(pattern: pattern),
            under: "== `database \"name\" { user \"name\" { … } }`",
            required: ["authentication", "storage", "pool"])
    }

    private func check<Scope>(
        _ table: DirectiveTable<Scope>, _ defaults: Scope, under heading: String, required: Set<String> = []
    ) throws {
        let start = try #require(lines.firstIndex { $0 == heading }, "no section \(heading)")
        let section = lines[(start + 1)...].prefix { !$0.hasPrefix("== ") }
        var documented: [String: String] = [:]
        for line in section where line.hasPrefix("|`") {
            let cells = line.split(separator: "|").map { $0.drop { $0 == " " } }
            let value = cells[2].filter { $0 != "`" }.replacing("+", with: "")
            documented[cells[0].filter { $0 != "`" && $0 != " " }] =
                value.hasSuffix(" ") ? String(value.dropLast()) : value
        }
        let listed = table.directives.filter { !$0.isIgnored }
        #expect(Set(documented.keys) == Set(listed.map(\.name)))
        for directive in listed {
            let expected =
                required.contains(directive.name) ? "required" : directive.write(defaults) ?? "none"
            #expect(documented[directive.name] == expected, "\(directive.name)")
        }
        let text = lines.joined(separator: "\n")
        for directive in table.directives where directive.isIgnored {
            #expect(text.contains("`\(directive.name)`"), "\(directive.name) is not among the ignored ones")
        }
    }

    @Test func everyEscapeIsListed() {
        let text = lines.joined(separator: "\n")
        for field in LogFormat.Field.allCases { #expect(text.contains("`%\(field.rawValue)`")) }
    }
}
