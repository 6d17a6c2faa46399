// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What differs between the configuration of now and the next one, in words.
package struct SettingsChanges: Equatable, Sendable {
    /// A line for each difference, in the order of the file. Secrets are not told.
    package private(set) var lines: [String] = []
    /// Those directives among them that have no effect before a restart, at the top of the file or in a block that stays.
    package private(set) var awaitingRestart: [String] = []

    package init(from old: Settings, to new: Settings) {
        add("", old, new, lasting: Self.lasting)
        let addresses = (old: Self.addresses(old), new: Self.addresses(new))
        compare("listener", addresses.old, addresses.new, lasting: ["backlog", "reuse_port"])
        compare(
            "resolver", old.resolvers.map { ("\"\($0.name)\"", $0) },
            new.resolvers.map { ("\"\($0.name)\"", $0) })
        compare(
            "storage", old.storages.map { ("\"\($0.name)\"", $0) },
            new.storages.map { ("\"\($0.name)\"", $0) })
        compare(
            "watchdog of storage", old.storages.compactMap(Self.watchdog),
            new.storages.compactMap(Self.watchdog))
        compare(
            "shared_pool", old.sharedPools.map { ("\"\($0.name)\"", $0) },
            new.sharedPools.map { ("\"\($0.name)\"", $0) })
        compare(
            "ldap_endpoint", old.ldapEndpoints.map { ("\"\($0.name)\"", $0) },
            new.ldapEndpoints.map { ("\"\($0.name)\"", $0) })
        compare("peer", old.peers.map { ($0.name, $0) }, new.peers.map { ($0.name, $0) })
        compare(
            "route", old.routes.map { ("\($0.pattern)", $0) }, new.routes.map { ("\($0.pattern)", $0) })
        for route in new.routes {
            guard let before = old.routes.first(where: { $0.pattern == route.pattern }) else { continue }
            add(
                "route \(route.pattern): ", DatabaseScope(settings: before.database),
                DatabaseScope(settings: route.database), lasting: [])
            if before.options != route.options { lines.append("route \(route.pattern): options changed") }
            if before.backendStartupOptions != route.backendStartupOptions {
                lines.append("route \(route.pattern): backend_startup_options changed")
            }
        }
    }

    /// Threads, buffers, files and sockets that are there from the start. The options of a listening socket are inherited by its clients.
    fileprivate static let lasting: Set<String> = [
        "daemonize", "keepalive", "keepalive_keep_interval", "keepalive_probes", "log_file", "log_format",
        "log_syslog",
        "log_syslog_facility", "log_syslog_ident", "log_to_stdout", "nodelay", "pid_file", "process_user",
        "readahead",
        "stats_listen", "unix_socket_mode", "upgrade_socket", "workers",
    ]

    private static func watchdog(_ storage: StorageSettings) -> (name: String, scope: WatchdogSettings)? {
        storage.watchdog.map { ("\"\(storage.name)\"", $0) }
    }

    private static func addresses(_ settings: Settings) -> [(name: String, scope: ListenSettings)] {
        settings.listeners.map { ("\(settings.address(of: $0))", $0) }
    }

    private mutating func compare<Scope: ConfigurationScope>(
        _ kind: String, _ old: [(name: String, scope: Scope)], _ new: [(name: String, scope: Scope)],
        lasting: Set<String> = []
    ) {
        for (name, _) in old where !new.contains(where: { $0.name == name }) {
            lines.append("\(kind) \(name) removed")
        }
        for (name, scope) in new {
            if let before = old.first(where: { $0.name == name })?.scope {
                add("\(kind) \(name): ", before, scope, lasting: lasting)
            } else {
                lines.append("\(kind) \(name) added")
            }
        }
    }

    private mutating func add<Scope: ConfigurationScope>(
        _ place: String, _ old: Scope, _ new: Scope, lasting: Set<String>
    ) {
        for directive in Scope.directives.directives
        where directive.canonical == nil && !directive.agrees(old, new) {
            if lasting.contains(directive.name) { awaitingRestart.append(place + directive.name) }
            if directive.isSecret {
                lines.append("\(place)\(directive.name) changed")
            } else {
                let (before, after) = (directive.write(old) ?? "nothing", directive.write(new) ?? "nothing")
                lines.append("\(place)\(directive.name) is \(after), was \(before)")
            }
        }
    }
}

extension Settings {
    /// A directive of the top of the file.
    package struct Entry: Equatable, Sendable {
        package let name: String
        /// As the file would say it; nil where nothing is said.
        package let value: String?
        /// What holds if nothing is said.
        package let standard: String?
        /// Another value has no effect before a restart.
        package let needsRestart: Bool
    }

    /// What the top of the file says, all that has a meaning.
    package var entries: [Entry] {
        let standard = Settings()
        return Settings.directives.directives.filter { !$0.isIgnored }.map { directive in
            Entry(
                name: directive.name, value: directive.write(self), standard: directive.write(standard),
                needsRestart: SettingsChanges.lasting.contains(directive.name))
        }
    }
}
