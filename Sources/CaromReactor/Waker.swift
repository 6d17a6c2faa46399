// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The one place where a coroutine of a reactor waits: for this socket, or that one, or a timer, or a message.
///
/// A coroutine owns one waker and hands it to everything it wants to hear from. Any of them may call
/// ``wake()``; the coroutine then looks at what changed. So waiting for several sources needs neither a
/// task nor an allocation per source (Machinarium's wait flags work likewise).
///
/// A waker can call an ``EventHandler`` instead, see ``call(_:token:on:)``: for what runs without a coroutine.
///
/// A waker belongs to one reactor's thread. From elsewhere use ``Reactor/wake(_:)``.
public final class Waker: EventHandler, @unchecked Sendable {
    // Unchecked: every member is used on the reactor's thread only; it travels as a reference in `Reactor.wake(_:)`.

    // One thread, and no call leaves while one of these is being changed: no access can overlap another.
    @exclusivity(unchecked) private var continuation: UnsafeContinuation<Void, Never>?
    @exclusivity(unchecked) private var handler: (any EventHandler)?
    @exclusivity(unchecked) private var reactor: Reactor?
    @exclusivity(unchecked) private var token: Int32 = 0
    @exclusivity(unchecked) private var isSignaled = false
    @exclusivity(unchecked) private var isScheduled = false

    /// A waker that nothing waits on yet.
    public init() {}

    /// A waker that calls `handler`; see ``call(_:token:on:)``.
    public init(handler: any EventHandler, token: Int = 0, on reactor: Reactor) {
        call(handler, token: token, on: reactor)
    }

    /// From now on a wake calls `handler` instead of resuming a coroutine: once a turn, however often it is woken.
    ///
    /// A wake that no ``wait()`` has taken yet becomes the first call. The waker keeps the handler until ``callNothing()``.
    ///
    /// - Precondition: no coroutine waits.
    public func call(_ handler: any EventHandler, token: Int = 0, on reactor: Reactor) {
        precondition(continuation == nil, "a waker that a coroutine waits on gets a handler")
        self.handler = handler
        self.token = Int32(token)
        self.reactor = reactor
        if isSignaled {
            isSignaled = false
            schedule()
        }
    }

    /// Lets go of the handler; from now on wakes are for coroutines again.
    public func callNothing() {
        handler = nil
        reactor = nil
    }

    /// Ends the current or the next ``wait()``, or has the handler called. Several wakes count as one.
    public func wake() {
        if handler != nil { return schedule() }
        guard let continuation else {
            isSignaled = true
            return
        }
        self.continuation = nil
        continuation.resume()
    }

    /// Wakes, or calls the handler at once: what an event or a timer does.
    public func handle(_ token: Int) {
        if token == Self.scheduled { isScheduled = false }
        guard let handler else { return wake() }
        handler.handle(Int(self.token))
    }

    private func schedule() {
        guard !isScheduled, let reactor else { return }
        isScheduled = true
        reactor.again(self, token: Self.scheduled)
    }

    /// The token of a call that ``schedule()`` asked for: no caller's own.
    private static var scheduled: Int { .min }

    /// Suspends until woken. Returns at once if a wake came since the last wait.
    ///
    /// One coroutine at a time may wait. Cancelling the task does not end the wait; see ``Reactor/wait(for:until:)``.
    public func wait() async {
        await withUnsafeContinuation { continuation in
            // Looked at here and not before: a task may change executors on its way into this closure.
            if isSignaled {
                isSignaled = false
                continuation.resume()
            } else {
                precondition(self.continuation == nil && handler == nil, "two things wait on one waker")
                self.continuation = continuation
            }
        }
    }
}
