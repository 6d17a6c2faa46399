// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A few threads for calls that block for as long as somebody else likes: one that takes its time keeps none of the others waiting, until
/// all threads are taken.
///
/// Jobs begin in their order. Threads start as they are needed and stay. They end when the object is released; jobs given before still run.
package final class BlockingThreads: Sendable {
    package typealias Job = @Sendable () -> Void

    private let core: Core

    /// - Parameters:
    ///   - name: of the threads.
    ///   - count: how many there are at most.
    ///   - capacity: jobs that wait at most.
    package init(name: String, count: Int, capacity: Int) {
        core = Core(name: name, count: count, capacity: capacity)
    }

    deinit { core.end() }

    /// Has `job` run. From any thread.
    ///
    /// - Returns: false, and nothing will happen, if too many wait already or there can be no thread.
    package func submit(_ job: @escaping Job) -> Bool { core.submit(job) }

    /// What the threads share.
    private final class Core: Sendable {
        private struct State {
            var jobs: [Job] = []
            var threads = 0
            /// Threads that are at work.
            var busy = 0

            /// Threads that no job is meant for; below zero, jobs that no thread is there for.
            var spare: Int { threads - busy - jobs.count }
        }

        private let name: String
        private let count: Int
        private let capacity: Int
        private let state = Mutex(State())
        private let work = SystemSemaphore()

        init(name: String, count: Int, capacity: Int) {
            self.name = name
            self.count = count
            self.capacity = capacity
        }

        func submit(_ job: @escaping Job) -> Bool {
            let isAccepted = state.withLock { state in
                guard state.spare > 0 || start(&state) || state.threads > 0 && -state.spare < capacity else {
                    return false
                }
                state.jobs.append(job)
                return true
            }
            if isAccepted { work.signal() }
            return isAccepted
        }

        /// Whether there is another thread.
        private func start(_ state: inout State) -> Bool {
            guard state.threads < count else { return false }
            do throws(SystemError) { try SystemThread.start(name: name) { self.run() } } catch {
                return false
            }
            state.threads += 1
            return true
        }

        private func run() {
            while let job = next() {
                job()
                state.withLock { $0.busy -= 1 }
            }
        }

        /// Each job has signaled once, and the end once for each thread: who is woken without a job is to go.
        private func next() -> Job? {
            work.wait()
            return state.withLock { state in
                if state.jobs.isEmpty { return nil }
                state.busy += 1
                return state.jobs.removeFirst()
            }
        }

        func end() {
            for _ in 0..<state.withLock(\.threads) { work.signal() }
        }
    }
}
