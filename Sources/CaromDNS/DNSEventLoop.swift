// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A thread that watches descriptors and runs jobs: what a resolver needs of an event loop.
///
/// `DNSThread` is the one there is; the protocol keeps it apart from what it carries. All methods except `execute` are
/// called on the loop's thread, by the client named in the call. The thread ignores or blocks SIGPIPE.
package protocol DNSEventLoop: AnyObject, Sendable {
    /// Runs `job` soon on the loop's thread, after those given before it. May be called from any thread.
    func execute(_ job: @escaping @Sendable () -> Void)

    /// Sets which readiness of `descriptor` is reported to the client, level-triggered; neither ends the watch.
    /// The descriptor is still open at that time, and closed soon after.
    func watch(_ descriptor: Int32, readable: Bool, writable: Bool, for client: any DNSEventLoopClient)

    /// Arms the client's only timer, in place of what it was set to; nil disarms it.
    func armTimer(after delay: Duration?, for client: any DNSEventLoopClient)
}

/// What an event loop calls back, always on its own thread.
package protocol DNSEventLoopClient: AnyObject, Sendable {
    /// A watched descriptor is ready. Errors and hang-ups count as readable.
    func descriptorReady(_ descriptor: Int32, readable: Bool, writable: Bool)

    /// The timer has run out; it is disarmed now.
    func timerFired()
}
