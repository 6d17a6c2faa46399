// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension Settings {
    /// All that says where the servers of a storage are: its resolver, and behind it those that this one puts together, each once. None
    /// for the console.
    package func resolvers(of storage: StorageSettings) -> [ResolverSettings] {
        guard storage.type == .remote else { return [] }
        if let own = storage.ownResolver { return [own] }
        guard case .resolver(let name) = storage.backends else { return [] }
        return resolvers(from: name)
    }

    /// A resolver of these settings, and behind it those that it puts together, each once.
    package func resolvers(from name: String) -> [ResolverSettings] {
        var found: [ResolverSettings] = []
        var names = [name]
        while let name = names.popLast() {
            guard let resolver = resolvers.first(where: { $0.name == name }) else {
                preconditionFailure("checked settings name a resolver that is not there")
            }
            if found.contains(where: { $0.name == name }) { continue }
            found.append(resolver)
            names += resolver.parts.reversed()
        }
        return found
    }

    /// The domain that SRV records name the servers of a storage in, if it is one.
    package func serviceDomain(of storage: StorageSettings) -> String? {
        let domains = Set(resolvers(of: storage).compactMap(\.serviceDomain))
        return domains.count == 1 ? domains.first : nil
    }

    /// The host names that are looked up for storages.
    package var hostNames: Set<String> {
        Set(
            storages.flatMap { resolvers(of: $0) }.filter { $0.type == .dns }.flatMap(\.hosts).compactMap {
                if case .name(let name) = $0.host.location { name } else { nil }
            })
    }
}

extension StorageSettings {
    /// What the storage itself says about its servers, as a resolver; `nil` if it names one.
    var ownResolver: ResolverSettings? {
        var resolver = ResolverSettings(name: name)
        resolver.origin = .storage
        resolver.port = port
        resolver.nameservers = nameservers
        switch backends {
        case .hosts(let hosts):
            resolver.type = .dns
            resolver.hosts = hosts.map { host in
                var host = host
                let zone = host.zone.map { ["zone": $0] } ?? [:]
                host.zone = nil
                var entry = ResolverHost(host)
                entry.attributes = zone
                return entry
            }
        case .service(let name):
            resolver.type = .dns
            resolver.service = name
        case .file(let path):
            resolver.type = .file
            resolver.file = path
        case .resolver: return nil
        }
        return resolver
    }
}
