// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Synchronization

@testable import CaromDNS

/// A resolver at work in a task, with what it publishes and reports.
final class RunningResolver: Sendable {
    struct TimedOut: Error, CustomStringConvertible {
        let description: String
    }

    private struct State {
        /// With the time of publication, which a busy machine cannot falsify by resuming the test late.
        var sets: [(set: BackendSet, time: ContinuousClock.Instant)] = []
        var events: [(event: DNSEvent, time: ContinuousClock.Instant)] = []
        var waiters:
            [(matches: @Sendable (BackendSet) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state: SharedState
    private let task: Task<Void, Never>
    let resolver: DNSResolver

    private final class SharedState: Sendable {
        let mutex = Mutex(State())
    }

    init(
        _ subject: DNSConfiguration.Subject, _ servers: DNSConfiguration.Servers,
        loop: (any DNSEventLoop)? = nil,
        configure: (inout DNSConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = DNSConfiguration(subject, servers: servers)
        configure(&configuration)
        let state = SharedState()
        self.state = state
        let resolver = try DNSResolver(
            configuration, eventLoop: try loop ?? DNSThread.shared(),
            log: DNSQueryLog { event in state.mutex.withLock { $0.events.append((event, .now)) } })
        self.resolver = resolver
        task = Task {
            await resolver.run { set in
                let ready = state.mutex.withLock { state in
                    state.sets.append((set, .now))
                    let ready = state.waiters.filter { $0.matches(set) }
                    state.waiters.removeAll { $0.matches(set) }
                    return ready
                }
                for waiter in ready { waiter.continuation.resume() }
            }
        }
    }

    var sets: [BackendSet] { state.mutex.withLock { $0.sets.map(\.set) } }
    var events: [DNSEvent] { state.mutex.withLock { $0.events.map(\.event) } }

    /// From the first question to the first set: what the resolver itself needed.
    var timeToFirstSet: Duration? {
        state.mutex.withLock { state in
            guard let first = state.events.first?.time, let published = state.sets.first?.time else {
                return nil
            }
            return first.duration(to: published)
        }
    }
    var addresses: [String] { sets.last?.backends.map(\.address.description) ?? [] }

    /// Waits until the latest set fulfils the condition, at most `limit`; returns how long it took to be
    /// published.
    @discardableResult func until(
        _ what: String, within limit: Duration = .seconds(30),
        _ matches: @escaping @Sendable (BackendSet) -> Bool
    ) async throws -> Duration {
        let start = ContinuousClock.now
        let state = state
        let isInTime = await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await withCheckedContinuation { continuation in
                    let isReady = state.mutex.withLock { state in
                        if let last = state.sets.last?.set, matches(last) { return true }
                        state.waiters.append((matches, continuation))
                        return false
                    }
                    if isReady { continuation.resume() }
                }
                return true
            }
            group.addTask {
                (try? await Task.sleep(for: limit)) == nil
            }
            let first = await group.next() ?? false
            if !first {
                let left = state.mutex.withLock { state in
                    defer { state.waiters = [] }
                    return state.waiters
                }
                for waiter in left { waiter.continuation.resume() }
            }
            group.cancelAll()
            return first
        }
        guard isInTime else {
            throw TimedOut(
                description: "\(what): not within \(limit); the latest set is \(addresses), events \(events)")
        }
        let published = state.mutex.withLock { $0.sets.last { matches($0.set) }?.time } ?? start
        return start.duration(to: max(published, start))
    }

    @discardableResult func until(addresses: [String], within limit: Duration = .seconds(30)) async throws
        -> Duration
    {
        try await until("waiting for \(addresses)", within: limit) { set in
            set.backends.map(\.address.description) == addresses
        }
    }

    /// Cancels and waits for the end.
    func stop() async {
        task.cancel()
        await task.value
    }
}
