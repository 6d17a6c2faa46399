// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CLinux
import Synchronization

/// A thread that waits in `poll(2)` for the sockets, timers and jobs of any number of resolvers.
///
/// It sleeps until something happens: no polling interval. The thread starts with the first job and ends when the object
/// is released; jobs given before still run.
public final class DNSThread: DNSEventLoop {
    /// The one that resolvers share unless given another. Lives as long as the program.
    public static let shared = DNSThread()

    private let loop: PollLoop?
    private let isStarted = Mutex(false)

    /// Makes a thread of its own; it does not run before it is used.
    public init() {
        loop = PollLoop()
    }

    deinit {
        loop?.finish()
    }

    /// Runs `job` on the thread, after those given before it.
    public func execute(_ job: @escaping @Sendable () -> Void) {
        let loop = running()
        loop.submit(job)
    }

    /// See `DNSEventLoop`.
    public func watch(_ descriptor: Int32, readable: Bool, writable: Bool, for client: any DNSEventLoopClient)
    {
        running().watch(descriptor, readable: readable, writable: writable, for: client)
    }

    /// See `DNSEventLoop`.
    public func armTimer(after delay: Duration?, for client: any DNSEventLoopClient) {
        running().armTimer(after: delay, for: client)
    }

    private func running() -> PollLoop {
        guard let loop else { preconditionFailure("no descriptor is left to wake a DNS thread with") }
        let mustStart = isStarted.withLock { isStarted in
            defer { isStarted = true }
            return !isStarted
        }
        if mustStart { loop.start() }
        return loop
    }
}
