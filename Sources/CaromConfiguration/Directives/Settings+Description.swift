// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension Settings: CustomStringConvertible {
    /// The effective configuration, every directive spelled out, in the grammar it was read in; secrets are `***`.
    package var description: String {
        var lines = Self.lines(of: self, by: Self.directives)
        for listener in listeners {
            lines +=
                ["", "listen {"] + Self.lines(of: listener, by: ListenSettings.directives, indent: 1) + ["}"]
        }
        for resolver in resolvers {
            lines += ["", "resolver \(quoted(resolver.name)) {"]
            // Defaults of another type's would be refused.
            lines +=
                Self.lines(of: resolver, by: ResolverSettings.directives, indent: 1) { resolver.takes($0) }
                + ["}"]
        }
        for storage in storages {
            lines += ["", "storage \(quoted(storage.name)) {"]
            // The console has nothing but its type; the defaults of the rest would be refused.
            lines +=
                storage.type == .local
                ? ["    type \"local\"", "}"]
                : Self.lines(of: storage, by: StorageSettings.directives, indent: 1) {
                    $0 != "port" || storage.usesPort
                } + ["}"]
        }
        for pool in sharedPools {
            lines += ["", "shared_pool \(quoted(pool.name)) {"]
            lines += Self.lines(of: pool, by: SharedPoolSettings.directives, indent: 1) + ["}"]
        }
        for route in routes {
            lines += ["", "database \(Self.word(route.pattern.database)) {"]
            lines += Self.lines(
                of: DatabaseScope(settings: route.database), by: DatabaseScope.directives, indent: 1)
            lines += ["    user \(Self.word(route.pattern.user)) {"]
            lines += Self.lines(of: route, by: RouteSettings.directives, indent: 2)
            lines += Self.lines(of: route.options, named: "options")
            lines += Self.lines(of: route.backendStartupOptions, named: "backend_startup_options")
            lines += ["    }", "}"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func lines<Scope>(
        of scope: Scope, by table: DirectiveTable<Scope>, indent: Int = 0,
        where isMeant: (String) -> Bool = { _ in true }
    ) -> [String] {
        let space = String(repeating: "    ", count: indent)
        return table.directives.filter { $0.canonical == nil && isMeant($0.name) }.compactMap { directive in
            directive.write(scope).map { "\(space)\(directive.name) \($0)" }
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
