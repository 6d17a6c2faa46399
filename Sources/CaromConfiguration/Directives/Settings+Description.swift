// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension Settings: CustomStringConvertible {
    /// The effective configuration, every directive spelled out, in Odyssey's grammar; secrets are `***`.
    package var description: String { SettingsWriter(isComplete: true, revealsSecrets: false).text(of: self) }

    /// A file that says the same in Odyssey's grammar, without what holds anyway. It has all passwords in it.
    package var file: String { SettingsWriter(isComplete: false, revealsSecrets: true).text(of: self) }
}

/// Writes settings in Odyssey's grammar.
private struct SettingsWriter {
    /// What holds anyway is written, too.
    let isComplete: Bool
    let revealsSecrets: Bool

    func text(of settings: Settings) -> String {
        var lines = lines(of: settings, by: Settings.directives, unlike: Settings())
        for listener in settings.listeners {
            lines += ["", "listen {"]
            lines +=
                self.lines(of: listener, by: ListenSettings.directives, unlike: ListenSettings(), indent: 1)
                + ["}"]
        }
        for resolver in settings.resolvers {
            lines += ["", "resolver \(quoted(resolver.name)) {"]
            // Defaults of another type's would be refused.
            lines +=
                self.lines(
                    of: resolver, by: ResolverSettings.directives,
                    unlike: ResolverSettings(name: resolver.name), besides: ["type"], indent: 1
                ) { resolver.takes($0) } + ["}"]
        }
        for storage in settings.storages {
            lines += ["", "storage \(quoted(storage.name)) {"]
            // The console has nothing but its type; the defaults of the rest would be refused.
            lines +=
                storage.type == .local
                ? ["    type \"local\"", "}"]
                : self.lines(
                    of: storage, by: StorageSettings.directives, unlike: StorageSettings(name: storage.name),
                    besides: ["type"], indent: 1
                ) { $0 != "port" || storage.usesPort } + self.lines(of: storage.watchdog) + ["}"]
        }
        for pool in settings.sharedPools {
            lines += ["", "shared_pool \(quoted(pool.name)) {"]
            lines +=
                self.lines(
                    of: pool, by: SharedPoolSettings.directives, unlike: SharedPoolSettings(name: pool.name),
                    indent: 1) + ["}"]
        }
        for peer in settings.peers {
            lines += ["", "peer \(quoted(peer.name)) {"]
            lines +=
                self.lines(
                    of: peer, by: PeerSettings.directives, unlike: PeerSettings(name: peer.name), indent: 1)
                + ["}"]
        }
        for endpoint in settings.ldapEndpoints {
            lines += ["", "ldap_endpoint \(quoted(endpoint.name)) {"]
            lines +=
                self.lines(
                    of: endpoint, by: LDAPEndpointSettings.directives,
                    unlike: LDAPEndpointSettings(name: endpoint.name), indent: 1) + ["}"]
        }
        for route in settings.routes { lines += self.lines(of: route) }
        return lines.joined(separator: "\n") + "\n"
    }

    private func lines(of watchdog: WatchdogSettings?) -> [String] {
        guard let watchdog else { return [] }
        let lines = lines(
            of: watchdog, by: WatchdogSettings.directives, unlike: WatchdogSettings(), indent: 2)
        return ["    watchdog {"] + lines + ["    }"]
    }

    private func lines(of route: RouteSettings) -> [String] {
        var lines = ["", "database \(Self.word(route.pattern.database)) {"]
        lines += self.lines(
            of: DatabaseScope(settings: route.database), by: DatabaseScope.directives,
            unlike: DatabaseScope(), indent: 1)
        lines += ["    user \(Self.word(route.pattern.user)) {"]
        lines += self.lines(
            of: route, by: RouteSettings.directives, unlike: RouteSettings(pattern: route.pattern),
            besides: ["authentication", "storage", "pool"], indent: 2)
        lines += Self.lines(of: route.options, named: "options")
        lines += Self.lines(of: route.backendStartupOptions, named: "backend_startup_options")
        return lines + ["    }", "}"]
    }

    /// - Parameters:
    ///   - standard: what holds anyway.
    ///   - required: what must be said all the same.
    private func lines<Scope>(
        of scope: Scope, by table: DirectiveTable<Scope>, unlike standard: Scope,
        besides required: Set<String> = [], indent: Int = 0, where isMeant: (String) -> Bool = { _ in true }
    ) -> [String] {
        let space = String(repeating: "    ", count: indent)
        return table.directives.compactMap { directive in
            guard directive.canonical == nil, isMeant(directive.name),
                isComplete || required.contains(directive.name) || !directive.agrees(scope, standard)
            else { return nil }
            let value =
                revealsSecrets ? directive.reveal?(scope) ?? directive.write(scope) : directive.write(scope)
            return value.map { "\(space)\(directive.name) \($0)" }
        }
    }

    private static func lines(of parameters: [SessionParameter], named name: String) -> [String] {
        guard !parameters.isEmpty else { return [] }
        let entries = parameters.map { "            \(quoted($0.name)) \(quoted($0.value))" }
        return ["        \(name) {"] + entries + ["        }"]
    }

    private static func word(_ name: RouteName) -> String {
        switch name {
        case .exact(let text): quoted(text)
        case .anything: "default"
        }
    }
}
