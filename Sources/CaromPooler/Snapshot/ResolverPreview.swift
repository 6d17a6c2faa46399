// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromConfiguration
import CaromDNS

/// The resolvers of a configuration outside of a pooler, to see what they find.
package final class ResolverPreview: Sendable {
    private let resolvers: [ConfiguredResolver]

    /// - Parameters:
    ///   - name: of a resolver, or of a storage, which stands for what finds its servers; nil for every resolver and whatever storages say
    ///     themselves.
    ///   - log: where they say what is wrong.
    /// - Throws: a ``ResolverPreviewError`` if there is no such name, or when a resolver cannot be made.
    package init(_ settings: Settings, name: String?, log: PoolerLog) throws(ResolverPreviewError) {
        let blocks = settings.resolvers.map { ($0.name, settings.resolvers(from: $0.name)) }
        let storages = settings.storages.map { ($0.name, settings.resolvers(of: $0)) }.filter {
            !$0.1.isEmpty
        }
        var wanted: [[ResolverSettings]]
        if let name {
            guard let found = (blocks + storages).first(where: { $0.0 == name }) else {
                let names = (blocks + storages).map { "\"\($0.0)\"" }.joined(separator: ", ")
                throw ResolverPreviewError(
                    description: "there is no resolver or storage \"\(name)\"; there are: \(names)")
            }
            wanted = [found.1]
        } else {
            wanted = blocks.map(\.1) + storages.map(\.1).filter { $0[0].origin == .storage }
        }
        do throws(DNSError) {
            resolvers = try StorageResolvers.make(wanted, settings, log)
        } catch {
            throw ResolverPreviewError(description: "\(error)")
        }
    }

    /// What each knows now, in the order of the configuration.
    package var reports: [ResolverReport] { resolvers.map(\.report) }

    /// Runs them until cancelled.
    ///
    /// - Parameter changed: told, on any thread, that there is something new.
    package func run(_ changed: @escaping @Sendable () -> Void) async {
        await withDiscardingTaskGroup { group in
            for resolver in resolvers { group.addTask { await resolver.run { _ in changed() } } }
        }
    }
}

/// Why there is nothing to be seen.
package struct ResolverPreviewError: Error, CustomStringConvertible {
    package let description: String
}
