// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromDNS

/// The resolvers of storages. One that several storages name, or that a composite is made of, is one for all of them: it asks once.
struct StorageResolvers: Sendable {
    /// By all that they are made from.
    private var made: [[ResolverSettings]: ConfiguredResolver] = [:]
    /// What an operator has taken out, for the life of the process.
    let drained: DrainedServers
    private var byStorage: [String: ConfiguredResolver] = [:]

    /// - Parameter previous: the resolvers before; one that finds its servers in the same way is kept, with what it knows.
    /// - Throws: `DNSError` when a name is none, or when no thread can be had.
    init(_ settings: Settings, previous: StorageResolvers?, log: PoolerLog) throws(DNSError) {
        drained = previous?.drained ?? DrainedServers()
        for storage in settings.storages {
            let chain = settings.resolvers(of: storage)
            guard !chain.isEmpty else { continue }
            byStorage[storage.name] = try find(chain, settings, previous, log)
        }
    }

    /// Resolvers outside of a pooler.
    ///
    /// - Parameter chains: each a resolver, and behind it those that it puts together.
    static func make(
        _ chains: [[ResolverSettings]], _ settings: Settings, _ log: PoolerLog
    ) throws(DNSError) -> [ConfiguredResolver] {
        var resolvers = StorageResolvers()
        var found: [ConfiguredResolver] = []
        for chain in chains { found.append(try resolvers.find(chain, settings, nil, log)) }
        return found
    }

    private init() { drained = DrainedServers() }

    /// The resolver of a storage, which must be one of servers.
    subscript(storage: String) -> ConfiguredResolver {
        guard let resolver = byStorage[storage] else {
            preconditionFailure("a route of checked settings names no storage of servers")
        }
        return resolver
    }

    /// Each once, by name.
    var all: [ConfiguredResolver] {
        made.values.sorted { $0.settings.name < $1.settings.name }
    }

    /// Takes a server out of use, by its name or address; pools hear of it at once.
    ///
    /// - Returns: false if it was out already.
    func drain(_ server: String) -> Bool {
        guard drained.add(server) else { return false }
        for resolver in all { resolver.findings.drainsChanged() }
        return true
    }

    /// Takes it in again.
    ///
    /// - Returns: false if it was not out.
    func undrain(_ server: String) -> Bool {
        guard drained.remove(server) else { return false }
        for resolver in all { resolver.findings.drainsChanged() }
        return true
    }

    /// The host names that are followed, each once.
    var hosts: [DNSHost] {
        let found = made.values.flatMap(\.followers).flatMap(\.report.hosts)
        return Dictionary(grouping: found, by: \.name).map { name, hosts in
            DNSHost(
                name: name, addresses: Set(hosts.flatMap(\.addresses)).sorted(),
                next: hosts.map(\.next).min() ?? .zero, asked: hosts.reduce(0) { $0 + $1.asked },
                waiting: hosts.reduce(0) { $0 + $1.waiting })
        }.sorted { $0.name < $1.name }
    }

    /// - Parameter chain: a resolver and behind it those that it puts together.
    private mutating func find(
        _ chain: [ResolverSettings], _ settings: Settings, _ previous: StorageResolvers?, _ log: PoolerLog
    ) throws(DNSError) -> ConfiguredResolver {
        if let known = made[chain] { return known }
        let resolver = chain[0]
        var parts: [ConfiguredResolver] = []
        for part in resolver.parts {
            parts.append(try find(settings.resolvers(from: part), settings, previous, log))
        }
        // What is the same down to its last part was made of the same parts.
        let old = previous?.made[chain]
        let found =
            if let old { old } else {
                try ConfiguredResolver(resolver, parts: parts, drained: drained, log: log)
            }
        made[chain] = found
        return found
    }
}
