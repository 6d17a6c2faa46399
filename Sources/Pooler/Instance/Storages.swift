// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// Storages of the configuration as resolvers of the library: one each, shared by all routes that use it.
enum Storages {
    /// By the storages' names.
    static func resolvers(_ settings: Settings) throws -> [String: any Resolver] {
        var resolvers: [String: any Resolver] = [:]
        for storage in settings.storages { resolvers[storage.name] = try resolver(storage) }
        return resolvers
    }

    private static func resolver(_ storage: StorageSettings) throws -> any Resolver {
        switch storage.backends {
        case .hosts(let hosts): StaticResolver(hosts.compactMap { backend($0, storage) })
        case .file: preconditionFailure("")
        case .service: preconditionFailure("")
        }
    }

    private static func backend(_ host: StorageHost, _ storage: StorageSettings) -> Backend? {
        let port = UInt16(storage.port(of: host))
        switch host.location {
        case .address(let address): return Backend(address: .ip(address, port: port))
        case .unixDirectory(let directory):
            return Backend(address: .unix(path: "\(directory)/.s.PGSQL.\(port)"))
        case .name: return nil
        }
    }
}
