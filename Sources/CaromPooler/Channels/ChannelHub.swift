// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// Listens for the clients of a route that listen while their servers are pooled (`pool_listen`): on one connection of its own, to each
/// channel once. The shell around ``ChannelDirectory``.
///
/// A client is told of what is said from the moment on at which its own request is answered, once and in order. When the server is lost
/// its clients stay, and the hub listens again as soon as a primary is there; what is said until then reaches nobody.
final class ChannelHub: Sendable {
    /// A client that is to listen to other channels than before.
    struct Request: Sendable {
        let listener: UInt64
        let worker: Worker
        let names: Set<String>
        let route: Route
    }

    /// What is said, on its way to one worker's clients.
    struct Delivery: Sendable {
        let channel: String
        let message: [UInt8]
        let listeners: [UInt64]
    }

    /// What the console tells.
    struct Report: Sendable {
        var channels: [ChannelDirectory.Channel] = []
        /// Where it listens; nil while it has no server.
        var server: String?
        /// How often a server was lost.
        var losses = 0
    }

    private struct State {
        var directory = ChannelDirectory()
        var workers: [Int: Worker] = [:]
        var requests: [Request] = []
        /// Those whose requests the task is serving, as long as they are there.
        var served: Set<UInt64> = []
        var isRunning = false
        var wake: (@Sendable () -> Void)?
        var server: String?
        var losses = 0
    }

    private let state = Mutex(State())

    var report: Report {
        state.withLock { Report(channels: $0.directory.all, server: $0.server, losses: $0.losses) }
    }

    // MARK: From the clients' workers

    /// Has a client listen to its channels and to no others. On its worker's thread, where it hears of it later; see
    /// ``Worker/settle(_:_:)``.
    func listen(to channels: ClientChannels?, for session: ClientSession, on route: Route) {
        if let names = channels?.names {
            change(Request(listener: session.owner, worker: session.worker, names: names, route: route))
        }
    }

    /// A client goes to the servers of another route, with what it listens to.
    func move(_ channels: ClientChannels?, of session: ClientSession, to route: Route) {
        let hub = route.history.hub
        if hub === self || channels?.isEmpty != false { return }
        leave(channels, session)
        hub.listen(to: channels, for: session, on: route)
    }

    private func change(_ request: Request) {
        let isFirst = state.withLock { state in
            state.workers[request.worker.reactor.index] = request.worker
            state.requests.append(request)
            state.wake?()
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if isFirst { request.worker.spawn { await self.run(request.worker) } }
    }

    /// A client has gone, or goes to another hub.
    func leave(_ channels: ClientChannels?, _ session: ClientSession) {
        if channels?.isEmpty != false { return }
        let listener = session.owner
        state.withLock { state in
            state.requests.removeAll { $0.listener == listener }
            state.served.remove(listener)
            state.directory.set([], of: listener)
            state.wake?()
        }
    }

    // MARK: The task

    /// What the task has of its server.
    private struct Line {
        var connection: PostgresConnection?
        /// What it listens to.
        var names: Set<String> = []
        var route: Route
        /// Rounds that failed, one after the other.
        var failures = 0
        /// What was wrong with it last, said once.
        var trouble: String?
    }

    /// How soon a server is sought again.
    private static let retryPause = Duration.milliseconds(250)
    /// How often it is looked whether the server is one of the route's still.
    private static let lookInterval = Duration.seconds(1)

    /// Listens until nobody wants it any more.
    private func run(_ worker: Worker) async {
        let waker = Waker()
        let reactor = worker.reactor
        guard let first = state.withLock({ $0.requests.first?.route }) else { return end() }
        state.withLock { $0.wake = { reactor.wake(waker) } }
        var line = Line(route: first)
        while let requests = take() {
            if let latest = requests.last?.route { line.route = latest }
            do throws(PostgresError) {
                try await serve(requests, &line, waker, worker)
                line.failures = 0
            } catch {
                line.failures += 1
                // A connection may have been dead for long when it is used again.
                if line.connection != nil, line.failures == 1 {
                    state.withLock { state in
                        let present = requests.filter { state.served.contains($0.listener) }
                        state.requests.insert(contentsOf: present, at: 0)
                    }
                } else {
                    for request in requests { request.worker.settle(request.listener, error) }
                }
                await lose(&line, error, worker)
                if Task.isCancelled { return end() }
                if line.failures > 1 { _ = await reactor.wait(for: waker, until: .now + Self.retryPause) }
            }
        }
        if let connection = line.connection { await line.route.connector.close(connection) }
    }

    private func end() { state.withLock { ($0.isRunning, $0.wake, $0.server) = (false, nil, nil) } }

    /// What is to be done next; nil when there is nobody left. Then the task is over.
    private func take() -> [Request]? {
        state.withLock { state in
            if state.requests.isEmpty, state.directory.isEmpty {
                (state.isRunning, state.wake, state.server) = (false, nil, nil)
                return nil
            }
            defer { state.requests = [] }
            state.served = Set(state.requests.map(\.listener))
            return state.requests
        }
    }

    /// One round: what has changed is brought to the server, or it is waited for what is said.
    private func serve(
        _ requests: [Request], _ line: inout Line, _ waker: Waker, _ worker: Worker
    ) async throws(PostgresError) {
        let wanted = state.withLock { state in
            requests.reduce(state.directory.names) { $0.union($1.names) }
        }
        if line.connection == nil, !wanted.isEmpty { try await connect(&line, worker) }
        if !requests.isEmpty || wanted != line.names { try await listen(to: wanted, &line) }
        for request in requests {
            state.withLock { state in
                // Who has left meanwhile would listen for ever.
                if state.served.contains(request.listener) {
                    state.directory.set(request.names, of: request.listener)
                }
            }
            request.worker.settle(request.listener, nil)
        }
        guard requests.isEmpty, let connection = line.connection else { return }
        try await NotificationExchange.hear(connection, until: .now + Self.lookInterval, waker: waker) {
            self.state.withLock { !$0.requests.isEmpty || $0.directory.isEmpty }
        }
        deliver(NotificationExchange.take(from: connection))
        if !isWanted(connection, line.route) {
            throw PostgresError(.connection, "the server is not one of the route's any more")
        }
    }

    /// What was said before the answer is for those who listened before.
    private func listen(to wanted: Set<String>, _ line: inout Line) async throws(PostgresError) {
        guard let connection = line.connection else { return }
        let commands =
            wanted.subtracting(line.names).sorted().map { "LISTEN \(Self.quoted($0))" }
            + line.names.subtracting(wanted).sorted().map { "UNLISTEN \(Self.quoted($0))" }
        let sql = commands.isEmpty ? "SELECT 1" : commands.joined(separator: ";")
        do throws(PostgresError) {
            _ = try await connection.queryAll(
                sql: sql, options: QueryOptions(timeout: line.route.definition.policy.connectTimeout))
        } catch {
            deliver(NotificationExchange.take(from: connection))
            throw error
        }
        deliver(NotificationExchange.take(from: connection))
        line.names = wanted
    }

    private static func quoted(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    private func deliver(_ notifications: [PostgresNotification]) {
        if notifications.isEmpty { return }
        var deliveries: [Int: [Delivery]] = [:]
        let workers = state.withLock { state in
            for notification in notifications {
                var message: [UInt8] = []
                NotificationResponse(
                    processID: notification.processID, channel: notification.channel,
                    payload: notification.payload
                ).encode(into: &message)
                let listeners = state.directory.heard(on: notification.channel)
                for (worker, some) in Dictionary(grouping: listeners, by: { Worker.index(ofOwner: $0) }) {
                    deliveries[worker, default: []].append(
                        Delivery(channel: notification.channel, message: message, listeners: some))
                }
            }
            return state.workers
        }
        for (worker, some) in deliveries { workers[worker]?.deliver(some) }
    }

    // MARK: Its server

    /// Takes a primary of the route.
    private func connect(_ line: inout Line, _ worker: Worker) async throws(PostgresError) {
        let route = line.route
        var trouble = PostgresError(.connection, "no server is known")
        for backend in route.pool.stats.backends where backend.state != .draining {
            do throws(PostgresError) {
                let made = try await connect(to: backend.backend, route, worker.reactor)
                if made.role == .standby {
                    await route.connector.close(made)
                    trouble = PostgresError(.connection, "\(backend.backend.address) is a standby")
                    continue
                }
                _ = try await made.queryAll(sql: "SET client_encoding TO 'UTF8'")
                (line.connection, line.names) = (made, [])
                state.withLock { $0.server = "\(backend.backend.address)" }
                if line.trouble != nil {
                    worker.log.info("channels are listened to again", in: context(route))
                }
                line.trouble = nil
                return
            } catch {
                trouble = error
            }
        }
        throw trouble
    }

    private func connect(to backend: Backend, _ route: Route, _ reactor: Reactor) async throws(PostgresError)
        -> PostgresConnection
    {
        let limit = route.definition.policy.connectTimeout
        do {
            return try await route.connector.connect(
                to: backend,
                context: ConnectContext(
                    affinity: reactor.index, slot: SlotID(index: 0, generation: 0), attempt: 1,
                    deadline: SystemPoolClock().now.advanced(by: limit), timeout: limit))
        } catch {
            throw error as? PostgresError ?? PostgresError(.connection, "\(error)")
        }
    }

    private func isWanted(_ connection: PostgresConnection, _ route: Route) -> Bool {
        connection.role != .standby
            && route.pool.stats.backends.contains {
                $0.backend.id == connection.backend.id && $0.state != .draining
            }
    }

    private func lose(_ line: inout Line, _ error: PostgresError, _ worker: Worker) async {
        if let connection = line.connection {
            await line.route.connector.close(connection)
            state.withLock { ($0.server, $0.losses) = (nil, $0.losses + 1) }
        }
        (line.connection, line.names) = (nil, [])
        let text = "\(error)"
        if text != line.trouble {
            worker.log.error(
                "nothing is heard on channels until a server is found: \(text)", in: context(line.route))
        }
        line.trouble = text
    }

    private func context(_ route: Route) -> LogContext { route.logContext(.server) }
}
