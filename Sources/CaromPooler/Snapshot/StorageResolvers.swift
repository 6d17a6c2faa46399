// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromDNS
import CaromFile

/// Storages of the configuration as resolvers of the library: one each, shared by all routes that use it.
struct StorageResolvers: Sendable {
    private struct Entry: Sendable {
        let storage: StorageSettings
        let resolver: any Resolver
        /// What of it follows names.
        let followers: [DNSResolver]
    }

    private var entries: [String: Entry] = [:]

    /// - Parameter previous: the resolvers before; one whose storage finds its servers in the same way is kept, with what
    ///   it knows.
    /// - Throws: `DNSError` when a name is none, or when no thread can be had.
    init(_ storages: [StorageSettings], previous: StorageResolvers?, log: PoolerLog) throws(DNSError) {
        for storage in storages where storage.type == .remote {
            if let old = previous?.entries[storage.name], Self.isSame(old.storage, storage) {
                entries[storage.name] = Entry(
                    storage: storage, resolver: old.resolver, followers: old.followers)
            } else {
                var followers: [DNSResolver] = []
                let resolver = try Self.resolver(storage, log, &followers)
                entries[storage.name] = Entry(storage: storage, resolver: resolver, followers: followers)
            }
        }
    }

    /// The resolver of a storage of the same settings, which must be one of servers.
    subscript(storage: String) -> any Resolver {
        guard let entry = entries[storage] else {
            preconditionFailure("a route of checked settings names no storage of servers")
        }
        return entry.resolver
    }

    /// The host names that storages follow, each once.
    var hosts: [DNSHost] {
        let found = entries.values.flatMap(\.followers).flatMap(\.hosts)
        return Dictionary(grouping: found, by: \.name).map { name, hosts in
            DNSHost(
                name: name, addresses: Set(hosts.flatMap(\.addresses)).sorted(),
                next: hosts.map(\.next).min() ?? .zero, asked: hosts.reduce(0) { $0 + $1.asked },
                waiting: hosts.reduce(0) { $0 + $1.waiting })
        }.sorted { $0.name < $1.name }
    }

    /// Whether the servers are found in the same way. How they are spoken to is the routes' business.
    private static func isSame(_ old: StorageSettings, _ new: StorageSettings) -> Bool {
        old.backends == new.backends && old.nameservers == new.nameservers
            && old.port == new.port
    }

    private static func resolver(
        _ storage: StorageSettings, _ log: PoolerLog, _ followers: inout [DNSResolver]
    ) throws(DNSError) -> any Resolver {
        switch storage.backends {
        case .hosts(let hosts): return try resolver(hosts, storage, log, &followers)
        case .service(let name):
            followers.append(try dns(.service(name), storage, log))
            return SharedResolver(followers[0])
        case .file(let path):
            let name = storage.name
            return SharedResolver(
                FileResolver(path: path, defaultPort: UInt16(clamping: storage.port)) { problem in
                    log.error("storage \(name): \(path): \(problem)", in: LogContext(.resolver))
                })
        }
    }

    /// A list of hosts: literal addresses are known, every name is followed in the DNS.
    private static func resolver(
        _ hosts: [StorageHost], _ storage: StorageSettings, _ log: PoolerLog,
        _ followers: inout [DNSResolver]
    ) throws(DNSError) -> any Resolver {
        var fixed: [Backend] = []
        for host in hosts {
            let port = UInt16(clamping: storage.port(of: host))
            switch host.location {
            case .address(let address): fixed.append(Backend(address: .ip(address, port: port)))
            case .unixDirectory(let directory):
                fixed.append(Backend(address: .unix(path: "\(directory)/.s.PGSQL.\(port)")))
            case .name(let name): followers.append(try dns(.host(name, port: port), storage, log))
            }
        }
        if followers.isEmpty { return StaticResolver(fixed) }
        let known: [any Resolver] = fixed.isEmpty ? [] : [StaticResolver(fixed)]
        return SharedResolver(CompositeResolver(known + followers, rule: .merge))
    }

    private static func dns(
        _ subject: DNSConfiguration.Subject, _ storage: StorageSettings, _ log: PoolerLog
    ) throws(DNSError) -> DNSResolver {
        var configuration = DNSConfiguration(subject)
        if !storage.nameservers.isEmpty {
            var servers: [DNSServer] = []
            for server in storage.nameservers {
                servers.append(try DNSServer(address: server.address, port: UInt16(clamping: server.port)))
            }
            configuration.servers = .fixed(servers)
        }
        let logger = log.libraryLogger(label: "storage \(storage.name)", phase: .resolver)
        return try DNSResolver(configuration, log: .logging(to: logger))
    }
}
