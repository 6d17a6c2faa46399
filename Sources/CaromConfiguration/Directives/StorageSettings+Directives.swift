// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension StorageSettings: ConfigurationScope {
    /// What may stand in a `storage` block.
    package static let directives = DirectiveTable<StorageSettings>(
        block: "storage", sections: ["watchdog"], foreign: ["balancing"],
        [
            .choice("type", \.type), hostList, serviceName, hostsFile, resolverName,
            nameserverList,
            .number("port", \.port, in: 1...65535), .limit("max_connections", \.maxConnections),
            .number("server_max_routing", \.maxRouting, in: 1...10_000),
            .time("endpoints_status_poll_interval", in: .milliseconds, \.statusPollInterval),
            .time("server_check_timeout", in: .milliseconds, \.checkTimeout),
            .flag("server_check_busy", \.checksBusy),
            .time("server_dead_after", in: .milliseconds, \.deadAfter, from: 0),
            .time("server_slow_start", in: .milliseconds, orNever: \.slowStart),
            .time("server_exchange_interval", in: .milliseconds, orNever: \.exchangeInterval),
            .choice("balancing_method", \.balancing),
            .flag("allow_cleartext_password", \.allowsCleartextPassword),
            .choice("target_session_attrs", optional: \.targetSessionAttributes),
        ]
            + Directive.tls + [.choice("tls_negotiation", \.tlsNegotiation)])
}

extension StorageSettings {
    static let hostList = Directive<StorageSettings>(
        name: "host", expects: "a list of hosts in double quotes",
        read: { value, storage throws(ValueError) in
            var hosts: [StorageHost] = []
            for entry in try value.text().split(separator: ",", omittingEmptySubsequences: false) {
                hosts.append(try StorageHost(inZone: entry))
            }
            storage.backends = .hosts(hosts)
        },
        write: { storage in
            guard case .hosts(let hosts) = storage.backends, !hosts.isEmpty else { return nil }
            return quoted(hosts.map(\.description).joined(separator: ","))
        })

    static let serviceName = Directive<StorageSettings>(
        name: "srv", expects: ConfigurationValue.serviceExample,
        read: { value, storage throws(ValueError) in
            storage.backends = .service(try value.serviceName())
        },
        write: { storage in
            guard case .service(let name) = storage.backends else { return nil }
            return quoted(name)
        })

    static let hostsFile = Directive<StorageSettings>(
        name: "hosts_file", expects: "a path in double quotes",
        read: { value, storage throws(ValueError) in storage.backends = .file(try value.text()) },
        write: { storage in
            guard case .file(let path) = storage.backends else { return nil }
            return quoted(path)
        })

    static let resolverName = Directive<StorageSettings>(
        name: "resolver", expects: "the name of a resolver in double quotes",
        read: { value, storage throws(ValueError) in
            storage.backends = .resolver(try value.text("the name of a resolver in double quotes"))
        },
        write: { storage in
            guard case .resolver(let name) = storage.backends else { return nil }
            return quoted(name)
        })

    static let nameserverList = Directive<StorageSettings>(
        name: "nameserver", expects: "a list of addresses in double quotes",
        read: { value, storage throws(ValueError) in storage.nameservers = try value.nameservers() },
        write: { $0.nameservers.list })
}

extension StorageHost: CustomStringConvertible {
    /// Reads an entry that may have a zone behind its port: `db1:5432:a`.
    init(inZone entry: Substring) throws(ValueError) {
        let parts = entry.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count > 2, let zone = parts.last, !zone.contains("]"),
            zone.contains(where: { !$0.isNumber && !$0.isWhitespace }),
            let host = try? StorageHost(entry[..<zone.startIndex].dropLast()), host.port != nil
        else {
            try self.init(entry)
            return
        }
        self = host
        self.zone = HostPort.trimmed(zone)
    }

    /// Reads an entry of a `host` list.
    init(_ entry: Substring) throws(ValueError) {
        let parsed = try HostPort(parsing: entry)
        switch parsed.host {
        case .address(let address): self.init(.address(address), port: parsed.port)
        case .name(let name): self.init(.name(name), port: parsed.port)
        case .path(let path): self.init(.unixDirectory(path), port: parsed.port)
        }
    }

    /// The same host in the one spelling that all its spellings have in common.
    var canonical: StorageHost {
        switch location {
        case .address, .unixDirectory: return StorageHost(location, port: port)
        case .name(let name):
            let plain = name.lowercased()
            return StorageHost(.name(plain.hasSuffix(".") ? String(plain.dropLast()) : plain), port: port)
        }
    }

    /// The entry as a `host` list writes it.
    package var description: String {
        let suffix = (port.map { ":\($0)" } ?? "") + (zone.map { ":\($0)" } ?? "")
        switch location {
        case .address(let address): return (address.contains(":") ? "[\(address)]" : address) + suffix
        case .name(let name): return name + suffix
        case .unixDirectory(let path): return path + suffix
        }
    }
}
