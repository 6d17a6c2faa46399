// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A thread that waits in `poll(2)` for the sockets, timers and jobs of any number of resolvers.
///
/// It sleeps until something happens: no polling interval. The thread ends when the object is released; jobs given before
/// still run. It takes no signals.
package final class DNSThread: DNSEventLoop {
    private static let common = Result { () throws(DNSError) in try DNSThread() }

    private let loop: PollLoop

    /// The one that resolvers share unless given another. It starts with the first use and lives as long as the program.
    /// Throws `DNSError` if the system refuses a thread or descriptor.
    package static func shared() throws(DNSError) -> DNSThread {
        try common.get()
    }

    /// Starts a thread of its own. Throws `DNSError` if the system refuses a thread or descriptor.
    package init() throws(DNSError) {
        loop = try PollLoop()
        try loop.start()
    }

    deinit {
        loop.finish()
    }

    /// Runs `job` on the thread, after those given before it.
    package func execute(_ job: @escaping @Sendable () -> Void) {
        loop.submit(job)
    }

    /// See `DNSEventLoop`.
    package func watch(
        _ descriptor: Int32, readable: Bool, writable: Bool, for client: any DNSEventLoopClient
    ) {
        loop.watch(descriptor, readable: readable, writable: writable, for: client)
    }

    /// See `DNSEventLoop`.
    package func armTimer(after delay: Duration?, for client: any DNSEventLoopClient) {
        loop.armTimer(after: delay, for: client)
    }
}
