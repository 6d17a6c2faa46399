// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom

/// Finds backends through DNS and keeps following what DNS says.
///
/// Answers are refreshed as their TTL demands, within the limits of the configuration. Backends appear at once and vanish
/// only when definite answers say so repeatedly; failing nameservers change nothing.
///
/// ```swift
/// let resolver = try DNSResolver(DNSConfiguration(.service("_postgresql._tcp.example.com")))
/// ```
public final class DNSResolver: Resolver {
    /// What it was made from.
    public let configuration: DNSConfiguration

    private let plan: ResolvePlan
    private let loop: any DNSEventLoop
    private let log: DNSQueryLog?
    private let status = ResolveStatus()

    /// Checks the configuration and, if that is what it names, reads the system's. Asks nothing before `run`.
    ///
    /// All resolvers of a process share one thread.
    ///
    /// - Throws: `DNSError` for values out of range, or if that thread cannot be started.
    public convenience init(_ configuration: DNSConfiguration, log: DNSQueryLog? = nil) throws(DNSError) {
        try self.init(configuration, eventLoop: try DNSThread.shared(), log: log)
    }

    /// The same with a given event loop.
    package init(
        _ configuration: DNSConfiguration, eventLoop: any DNSEventLoop, log: DNSQueryLog? = nil
    ) throws(DNSError) {
        self.configuration = configuration
        plan = try ResolvePlan(configuration)
        loop = eventLoop
        self.log = log
    }

    /// Publishes complete sets, on the event loop's thread, until the task is cancelled; then all questions have ended
    /// and all sockets are closed. May be called again afterwards.
    ///
    /// The first set comes when all its addresses are known, or with what is known after one `timeout`. While nameservers
    /// fail, nothing is published; an empty set means that they said so.
    public func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async {
        let run = ResolverRun(plan: plan, loop: loop, log: log, status: status, deliver: publish)
        await withTaskCancellationHandler {
            await withCheckedContinuation { run.begin($0) }
        } onCancel: {
            run.end()
        }
    }

    /// How old the oldest answer in use is: a gauge that rises while nameservers fail. Nil before the first answer.
    public var age: Duration? { report.age }

    /// What is known now, and how it was learnt.
    package var report: DNSReport { status.report }
}
