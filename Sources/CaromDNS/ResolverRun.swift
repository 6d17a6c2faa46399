// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// Runs a machine (and, if nameservers are found through DNS, a second one for them) with sockets and time: the shell.
///
/// Everything but `begin` and `end` happens on the event loop's thread.
// Unchecked: confined to that thread; `begin` and `end` only send jobs there.
final class ResolverRun: DNSEventLoopClient, @unchecked Sendable {
    /// The two machines a run can have.
    private enum Role: Hashable {
        /// Finds backends.
        case backends
        /// Finds nameservers for the other.
        case servers
    }

    private struct Address: Hashable {
        let role: Role
        let id: QueryID
    }

    private let plan: ResolvePlan
    private let loop: any DNSEventLoop
    private let log: DNSQueryLog?
    private let status: ResolveStatus
    private let deliver: @Sendable (BackendSet) -> Void
    private let origin = ContinuousClock.now

    private var machines: [Role: ResolveMachine] = [:]
    private var channels: [DNSServer: AresChannel] = [:]
    private var queries: [Address: AresQuery] = [:]
    private var watched: [Int32: DNSServer] = [:]
    /// Results that came while c-ares was at work; handed on when it is done, so that nothing re-enters.
    private var results: [(address: Address, result: QueryResult)] = []
    private var ending: CheckedContinuation<Void, Never>?
    private var hasEnded = false

    init(
        plan: ResolvePlan, loop: any DNSEventLoop, log: DNSQueryLog?, status: ResolveStatus,
        deliver: @escaping @Sendable (BackendSet) -> Void
    ) {
        self.plan = plan
        self.loop = loop
        self.log = log
        self.status = status
        self.deliver = deliver
    }

    /// Starts, and resumes the continuation when the run has ended.
    func begin(_ continuation: CheckedContinuation<Void, Never>) {
        loop.execute { [self] in
            // The task may have been cancelled before it got here.
            if hasEnded {
                continuation.resume()
                return
            }
            ending = continuation
            start()
        }
    }

    /// Ends all questions and the run. May come before `begin`, and twice.
    func end() {
        loop.execute { [self] in
            guard !hasEnded else { return }
            hasEnded = true
            machines.removeAll()
            queries.values.forEach { $0.drop() }
            queries.removeAll()
            channels.values.forEach { $0.close() }
            channels.removeAll()
            loop.armTimer(after: nil, for: self)
            ending?.resume()
            ending = nil
        }
    }

    func descriptorReady(_ descriptor: Int32, readable: Bool, writable: Bool) {
        guard let server = watched[descriptor], let channel = channels[server] else { return }
        channel.process(descriptor, readable: readable, writable: writable)
        proceed()
    }

    func timerFired() {
        for channel in channels.values { channel.processTimeouts() }
        deliverResults()
        for role in Array(machines.keys) { drive(role) { $0.tick(now: $1) } }
        proceed()
    }

    private var now: Duration { origin.duration(to: .now) }

    private func start() {
        machines[.backends] = ResolveMachine(
            plan.backends, servers: plan.servers, seed: .random(in: 0 ... .max))
        if let finder = plan.finder {
            machines[.servers] = ResolveMachine(
                finder.settings, servers: finder.bootstrap, seed: .random(in: 0 ... .max))
            drive(.servers) { $0.start(now: $1) }
        } else {
            drive(.backends) { $0.start(now: $1) }
        }
        proceed()
    }

    /// Gives an event to a machine and carries out what it wants.
    private func drive(_ role: Role, _ event: (inout ResolveMachine, Duration) -> [ResolveAction]) {
        guard var machine = machines[role] else { return }
        machines[role] = nil
        let actions = event(&machine, now)
        machines[role] = machine
        for action in actions { perform(action, role) }
    }

    private func perform(_ action: ResolveAction, _ role: Role) {
        switch action {
        case .ask(let id, let question, let server): ask(Address(role: role, id: id), question, server)
        case .drop(let id): queries.removeValue(forKey: Address(role: role, id: id))?.drop()
        case .report(let event): log?.record(event)
        case .readHosts(let name):
            let text = SystemFiles.text("/etc/hosts") ?? ""
            drive(role) { $0.foundHosts(HostsFile.addresses(of: name, in: text), now: $1) }
        case .publish(let set):
            switch role {
            case .backends: deliver(set)
            case .servers: useServers(set)
            }
        }
    }

    private func ask(_ address: Address, _ question: DNSQuestion, _ server: DNSServer) {
        do throws(DNSError) {
            let channel = try channel(to: server)
            var isDone = false
            let query = channel.ask(question) { [weak self] result in
                isDone = true
                self?.results.append((address, result))
            }
            if !isDone { queries[address] = query }
        } catch {
            log?.record(.trouble(error.message))
            results.append((address, .unreachable(error.message)))
        }
    }

    private func channel(to server: DNSServer) throws(DNSError) -> AresChannel {
        if let channel = channels[server] { return channel }
        let channel = try AresChannel(server: server, timeout: plan.backends.timeout) {
            [unowned self] descriptor, readable, writable in
            watched[descriptor] = readable || writable ? server : nil
            loop.watch(descriptor, readable: readable, writable: writable, for: self)
        }
        channels[server] = channel
        return channel
    }

    /// The nameservers' service has new members: the backends' machine goes on with those.
    private func useServers(_ set: BackendSet) {
        let servers = set.backends.compactMap { backend -> DNSServer? in
            switch backend.address {
            case .ip(let address, let port): try? DNSServer(address: address, port: port)
            case .unix: nil
            }
        }
        guard !servers.isEmpty else { return }
        drive(.backends) { machine, now in
            machine.setServers(servers, now: now) + machine.start(now: now)
        }
        let used = Set(servers + (plan.finder?.bootstrap ?? []))
        for (server, channel) in channels where !used.contains(server) {
            channel.close()
            channels[server] = nil
        }
    }

    /// After every event: hand results on until there are none, then wait for exactly what comes next.
    private func proceed() {
        deliverResults()
        guard !hasEnded else { return }
        let now = now
        let times =
            channels.values.compactMap(\.timeout)
            + machines.values.compactMap { $0.nextWake(now: now).map { $0 - now } }
        loop.armTimer(after: times.min().map { max($0, .zero) }, for: self)
        status.update(machines[.backends]?.report(now: now) ?? DNSReport())
    }

    private func deliverResults() {
        while !results.isEmpty {
            let batch = results
            results = []
            for (address, result) in batch {
                queries[address] = nil
                drive(address.role) { $0.received(result, for: address.id, now: $1) }
            }
        }
    }
}
