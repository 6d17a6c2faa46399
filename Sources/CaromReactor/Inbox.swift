// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc
import Synchronization

/// What other threads want from a reactor: jobs to run, wakers to wake, calls to make.
///
/// However much arrives between two turns of the loop, the reactor is woken once: the first post after a
/// drain writes to an event descriptor, the others find it written.
final class Inbox: Sendable {
    struct Contents {
        var jobs: [UnownedJob] = []
        var wakers: [Waker] = []
        var calls: [@Sendable () -> Void] = []
        /// Whether the loop has been told, or will look by itself before it sleeps.
        var announced = false
    }

    private let contents = Mutex(Contents())
    private let hasLazyCalls = Atomic<Bool>(false)
    let descriptor: Int32

    init() throws(SystemError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        if descriptor < 0 { throw SystemError.last("eventfd") }
    }

    deinit { close(descriptor) }

    func post(job: UnownedJob) { post { $0.jobs.append(job) } }

    func post(waker: Waker) { post { $0.wakers.append(waker) } }

    func post(call: @escaping @Sendable () -> Void) { post { $0.calls.append(call) } }

    /// Leaves a call for the next turn, whenever that is, without waking the loop for it.
    func postLazily(call: @escaping @Sendable () -> Void) {
        contents.withLock { $0.calls.append(call) }
        hasLazyCalls.store(true, ordering: .releasing)
    }

    /// Whether something was left by ``postLazily(call:)`` since this was last asked.
    func takeLazyCalls() -> Bool {
        guard hasLazyCalls.load(ordering: .relaxed) else { return false }
        return hasLazyCalls.exchange(false, ordering: .acquiring)
    }

    private func post(_ add: (inout Contents) -> Void) {
        let announce = contents.withLock { contents in
            add(&contents)
            defer { contents.announced = true }
            return !contents.announced
        }
        if announce {
            var one: UInt64 = 1
            _ = write(descriptor, &one, 8)
        }
    }

    /// Takes everything. Called by the loop after its event descriptor became readable.
    func drain() -> Contents {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return contents.withLock { contents in
            let taken = contents
            contents = Contents()
            return taken
        }
    }
}
