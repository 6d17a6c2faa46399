// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Runs the resolvers of the configuration, each as long as it is in it.
final class ResolverKeeper: Sendable {
    private let added: AsyncStream<ConfiguredResolver>
    private let additions: AsyncStream<ConfiguredResolver>.Continuation

    init() { (added, additions) = AsyncStream.makeStream(of: ConfiguredResolver.self) }

    /// These are configured from now on; those of before that are not among them have no further use.
    func use(_ resolvers: StorageResolvers, insteadOf previous: StorageResolvers? = nil) {
        let (old, new) = (previous?.all ?? [], resolvers.all)
        for resolver in new where !old.contains(where: { $0 === resolver }) { additions.yield(resolver) }
        for resolver in old where !new.contains(where: { $0 === resolver }) { resolver.retire() }
    }

    /// Runs them until cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            for await resolver in added { group.addTask { await resolver.keep() } }
            group.cancelAll()
        }
    }
}
