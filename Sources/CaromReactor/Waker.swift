// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The one place where a coroutine of a reactor waits: for this socket, or that one, or a timer, or a message.
///
/// A coroutine owns one waker and hands it to everything it wants to hear from. Any of them may call
/// ``wake()``; the coroutine then looks at what changed. So waiting for several sources needs neither a
/// task nor an allocation per source (Machinarium's wait flags work likewise).
///
/// A waker belongs to one reactor's thread. From elsewhere use ``Reactor/wake(_:)``.
public final class Waker: @unchecked Sendable {
    // Unchecked: every member is used on the reactor's thread only; it travels as a reference in `wake(_:)`.

    // Trivial values on one thread: no access can overlap another.
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, Never>?
    @exclusivity(unchecked) private var signalled = false

    /// A waker that nobody waits on yet.
    public init() {}

    /// Ends the current or the next ``wait()``. Several wakes before a wait count as one.
    public func wake() {
        guard let continuation else {
            signalled = true
            return
        }
        self.continuation = nil
        continuation.resume()
    }

    /// Suspends until woken. Returns at once if a wake came since the last wait.
    ///
    /// One coroutine at a time may wait. Cancelling the task does not end the wait.
    public func wait() async {
        await withUnsafeContinuation { continuation in
            // Looked at here and not before: a task may change executors on its way into this closure.
            if signalled {
                signalled = false
                continuation.resume()
            } else {
                precondition(self.continuation == nil, "two coroutines wait on one waker")
                self.continuation = continuation
            }
        }
    }
}
