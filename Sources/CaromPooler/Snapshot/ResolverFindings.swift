// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import Synchronization

/// What a resolver has found: kept for reports, logged, and told to those who listen, but for servers that are drained.
final class ResolverFindings: Sendable {
    private struct State {
        var set: BackendSet?
        /// Since when each is there.
        var since: [BackendID: Deadline] = [:]
        var listener: LatestSet?
        var failures = 0
        var reason: String?
    }

    private let state = Mutex(State())
    private let drained: DrainedServers
    /// Told of what it finds and of each change, in words.
    private let tell: @Sendable (String) -> Void

    init(drained: DrainedServers, tell: @escaping @Sendable (String) -> Void) {
        self.drained = drained
        self.tell = tell
    }

    /// Runs a resolver until cancelled, even if it has nothing more to say.
    func follow(_ resolver: some Resolver, _ publish: @escaping @Sendable (BackendSet) -> Void) async {
        state.withLock { $0.listener = LatestSet(publish) }
        await resolver.run { self.found($0) }
        let (never, ending) = AsyncStream.makeStream(of: Never.self)
        for await _ in never {}
        ending.finish()
        state.withLock { $0.listener = nil }
    }

    /// An operator has changed which servers are drained.
    func drainsChanged() { offer(state.withLock { ($0.listener, $0.set) }) }

    /// What is there now, and for how long.
    var servers: [(backend: Backend, age: Duration, isDrained: Bool)]? {
        let (set, since) = state.withLock { ($0.set, $0.since) }
        let now = Deadline.now
        return set?.backends.map { backend in
            (backend, since[backend.id].map { $0.duration(to: now) } ?? .zero, drained.contains(backend))
        }
    }

    /// An attempt to learn more has come to nothing.
    func failed(_ reason: String) {
        state.withLock { state in
            state.failures += 1
            state.reason = reason
        }
    }

    /// Another has not.
    func recovered() {
        state.withLock { state in
            state.failures = 0
            state.reason = nil
        }
    }

    /// Attempts that have failed since the last good one, and why.
    var trouble: (failures: Int, reason: String?) { state.withLock { ($0.failures, $0.reason) } }

    private func found(_ set: BackendSet) {
        let now = Deadline.now
        let (old, listener) = state.withLock { state in
            let old = state.set
            state.set = set
            state.since = Dictionary(
                set.backends.map { ($0.id, state.since[$0.id] ?? now) },
                uniquingKeysWith: { first, _ in first })
            return (old, state.listener)
        }
        for line in Self.changes(from: old, to: set) { tell(line) }
        offer((listener, set))
    }

    private func offer(_ news: (listener: LatestSet?, set: BackendSet?)) {
        guard let listener = news.listener, let set = news.set else { return }
        listener.offer(BackendSet(set.backends.filter { !drained.contains($0) }))
    }

    /// What is new, in words.
    static func changes(from old: BackendSet?, to new: BackendSet) -> [String] {
        guard let old else {
            return [new.backends.isEmpty ? "finds no server" : "finds \(list(new.backends))"]
        }
        let before = Dictionary(old.backends.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Set(new.backends.map(\.id))
        var lines: [String] = []
        let added = new.backends.filter { before[$0.id] == nil }
        let removed = old.backends.filter { !after.contains($0.id) }
        if !added.isEmpty { lines.append("new: \(list(added))") }
        if !removed.isEmpty { lines.append("gone: \(list(removed))") }
        let changed = new.backends.filter { before[$0.id] != nil && before[$0.id] != $0 }
        if !changed.isEmpty { lines.append("changed: \(list(changed))") }
        if new.backends.isEmpty, !old.backends.isEmpty { lines.append("there is no server left") }
        return lines
    }

    private static func list(_ backends: [Backend]) -> String {
        let told = backends.prefix(mostTold).map { backend in
            "\(backend.id) priority \(backend.priority) weight \(backend.weight)"
        }
        let more = backends.count - told.count
        return told.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
    }

    /// So many servers stand in a line, if there are more.
    private static let mostTold = 16
}
