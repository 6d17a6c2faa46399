// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Threads for calls that block for as long as somebody else likes, a few for each of those who are called, by a key: whoever takes
/// its time keeps nobody waiting who calls another.
///
/// Jobs of a key begin in their order. A thread starts with a job that no other one is free for, and ends when nothing waits for
/// its key: nothing is left of one that nobody calls. Jobs that were given run though the object is released.
package final class BlockingThreads<Key: Hashable & Sendable>: Sendable {
    package typealias Job = @Sendable () -> Void

    /// A job that was given.
    package struct Ticket: Sendable {
        fileprivate let key: Key
        fileprivate let number: UInt64
    }

    /// What there is of a key.
    private struct Lane {
        var running = 0
        /// They wait for one of the threads.
        var jobs: [(number: UInt64, job: Job)] = []
    }

    private struct State {
        var lanes: [Key: Lane] = [:]
        var lastNumber: UInt64 = 0
    }

    private let name: String
    private let count: Int
    private let capacity: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - name: of the threads.
    ///   - count: how many there are at most for a key.
    ///   - capacity: jobs of a key that wait at most.
    package init(name: String, count: Int, capacity: Int) {
        self.name = name
        self.count = count
        self.capacity = capacity
    }

    /// Has `job` run. From any thread.
    ///
    /// - Returns: nil, and nothing will happen, if too many wait already or there can be no thread.
    package func submit(for key: Key, _ job: @escaping Job) -> Ticket? {
        state.withLock { state in
            var lane = state.lanes[key] ?? Lane()
            state.lastNumber += 1
            let number = state.lastNumber
            if lane.running < count, start(key, job) {
                lane.running += 1
            } else if lane.running > 0, lane.jobs.count < capacity {
                lane.jobs.append((number, job))
            } else {
                return nil
            }
            state.lanes[key] = lane
            return Ticket(key: key, number: number)
        }
    }

    /// Takes a job back, and with it its place among those that wait. One that has begun goes on.
    package func cancel(_ ticket: Ticket) {
        // What it holds is released outside the lock.
        _ = state.withLock { state in
            state.lanes[ticket.key]?.jobs.firstIndex { $0.number == ticket.number }
                .flatMap { state.lanes[ticket.key]?.jobs.remove(at: $0).job }
        }
    }

    /// Keys that something runs or waits for.
    var keyCount: Int { state.withLock(\.lanes.count) }

    private func start(_ key: Key, _ job: @escaping Job) -> Bool {
        do throws(SystemError) {
            try SystemThread.start(name: name) { self.run(key, job) }
            return true
        } catch {
            return false
        }
    }

    private func run(_ key: Key, _ first: @escaping Job) {
        var job: Job? = first
        while let present = job {
            present()
            job = next(key)
        }
    }

    /// Nil: the thread is to end.
    private func next(_ key: Key) -> Job? {
        state.withLock { state in
            guard var lane = state.lanes[key] else { return nil }
            guard lane.jobs.isEmpty else {
                return state.lanes[key]?.jobs.removeFirst().job
            }
            lane.running -= 1
            state.lanes[key] = lane.running == 0 ? nil : lane
            return nil
        }
    }
}
