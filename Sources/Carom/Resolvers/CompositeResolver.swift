// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Several resolvers as one: the union of what they say, or the first that says anything.
public struct CompositeResolver: Resolver {
    /// How the answers are put together.
    public enum Rule: Sendable, Hashable {
        /// All backends of all resolvers that have spoken; of duplicates the first counts.
        case merge
        /// The set of the first resolver whose last set is not empty.
        case fallback
    }

    private let resolvers: [any Resolver]
    private let rule: Rule

    /// These resolvers, in this order, by this rule. All of them run all the time.
    public init(_ resolvers: [any Resolver], rule: Rule) {
        self.resolvers = resolvers
        self.rule = rule
    }

    /// Runs all of them and publishes whenever the combination changes.
    public func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async {
        let answers = Answers(count: resolvers.count, rule: rule)
        let latest = LatestSet(publish)
        await withDiscardingTaskGroup { group in
            for (index, resolver) in resolvers.enumerated() {
                group.addTask {
                    await resolver.run { set in
                        if let combined = answers.update(index, set) { latest.offer(combined) }
                    }
                }
            }
        }
    }

    private final class Answers: Sendable {
        private struct State {
            var sets: [BackendSet?]
            var published: BackendSet?
        }
        private let state: Mutex<State>
        private let rule: Rule

        init(count: Int, rule: Rule) {
            state = Mutex(State(sets: Array(repeating: nil, count: count)))
            self.rule = rule
        }

        /// The combination, if this answer changed it.
        func update(_ index: Int, _ set: BackendSet) -> BackendSet? {
            state.withLock { state in
                state.sets[index] = set
                let known = state.sets.compactMap { $0 }
                let combined =
                    switch rule {
                    case .merge: BackendSet(known.flatMap(\.backends))
                    case .fallback: known.first { !$0.backends.isEmpty } ?? .empty
                    }
                if combined == state.published { return nil }
                state.published = combined
                return combined
            }
        }
    }
}
