// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A thread for what takes the processor for long: a loop that did it would keep all its sockets waiting.
///
/// Jobs run one after the other, in their order. It needs no descriptor. The thread ends when the object is released; jobs given
/// before still run.
package final class ComputingThread: Sendable {
    private let core: Core

    /// Starts the thread.
    ///
    /// - Throws: ``SystemError`` when threads have run out.
    package init(name: String) throws(SystemError) {
        let core = Core()
        self.core = core
        try SystemThread.start(name: name) { core.run() }
    }

    deinit { core.submit(nil) }

    /// Has `job` run, behind those given before. From any thread.
    package func submit(_ job: @escaping @Sendable () -> Void) { core.submit(job) }

    /// What the thread keeps for itself.
    private final class Core: Sendable {
        /// Nil is the end.
        private let jobs = Mutex<[(@Sendable () -> Void)?]>([])
        private let work = SystemSemaphore()

        func submit(_ job: (@Sendable () -> Void)?) {
            let isFirst = jobs.withLock { jobs in
                jobs.append(job)
                return jobs.count == 1
            }
            if isFirst { work.signal() }
        }

        func run() {
            while true {
                work.wait()
                let taken = jobs.withLock { jobs in
                    defer { jobs = [] }
                    return jobs
                }
                for job in taken {
                    guard let job else { return }
                    job()
                }
            }
        }
    }
}
