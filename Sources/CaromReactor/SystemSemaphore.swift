// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// A counting semaphore (`sem_overview(7)`): how a thread without a loop is woken. ``signal()`` makes a system call only
/// when somebody waits.
package final class SystemSemaphore: @unchecked Sendable {
    // Unchecked: the pointer never changes, and what it points to is made for threads.
    private let semaphore: UnsafeMutablePointer<sem_t>

    /// A semaphore that nobody has signaled.
    package init() {
        semaphore = .allocate(capacity: 1)
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    /// Lets one ``wait()`` through, now or later. From any thread.
    package func signal() { sem_post(semaphore) }

    /// Blocks the thread until it is signaled.
    package func wait() {
        while sem_wait(semaphore) < 0 {}
    }

    /// Blocks the thread until it is signaled. False: the deadline came first.
    package func wait(until deadline: Deadline) -> Bool {
        var time = timespec(
            tv_sec: Int(clamping: deadline.nanoseconds / 1_000_000_000),
            tv_nsec: Int(deadline.nanoseconds % 1_000_000_000))
        while carom_wait_until(semaphore, &time) < 0 {
            if errno == ETIMEDOUT { return false }
        }
        return true
    }
}
