// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor

/// Decides, in the process that takes over, what the old one is told and what becomes of each client that it hands over; see
/// ``DepartureMachine`` for the steps. It has no socket, no thread and no clock.
struct ArrivalMachine {
    enum Phase: Equatable {
        /// The old process was greeted. → `collecting`, `over`
        case greeting
        /// It sends its listening sockets. → `ready`, `over`
        case collecting
        /// They are all here; this process makes itself ready. → `beginning`, `over`
        case ready
        /// The old process is to stop accepting. → `taking`, `over`
        case beginning
        /// Clients come. → `over`
        case taking
        /// The old process is gone, or does not go on.
        case over
    }

    enum Action: Equatable {
        case send(HandOverMessage)
        /// The listening socket that came with the message.
        case keep(SocketAddress, ownsFile: Bool)
        /// All listening sockets of the process of this number are here.
        case prepare(process: Int32)
        /// The old process accepts nobody any more.
        case serve
        /// A client is made ready to be served; ``adopted(_:)`` or ``declined(_:reason:)`` when that is done.
        case adopt(UInt64, ClientState)
        /// A client is ours, and is served as soon as it does something; ``used(_:)`` before that.
        case hold(UInt64)
        /// A client is served from now on.
        case run(UInt64)
        /// A client stays with the old process, or is lost: its socket is closed without a word.
        case drop(UInt64)
        /// The takeover has failed before anything has changed.
        case fail(String)
        /// The connection is closed; the old process is gone.
        case close(String)
    }

    private enum Arrival { case preparing, prepared, held }

    private(set) var phase = Phase.greeting
    private var process: Int32 = 0
    private var clients: [UInt64: Arrival] = [:]
    /// The old process goes on without us, so a client that was not committed is its own.
    private var isRefused = false

    /// What the old process is told first.
    var greeting: HandOverMessage { .hello(version: HandOverMessage.version) }

    // MARK: What the old process says

    mutating func received(_ message: HandOverMessage) -> [Action] {
        switch (phase, message) {
        case (.greeting, .welcome(let version, let process)):
            if version != HandOverMessage.version { return refuse("\(HandOverError.version(version))") }
            phase = .collecting
            self.process = process
            return []
        case (.collecting, .listener(let address, let ownsFile)): return [.keep(address, ownsFile: ownsFile)]
        case (.collecting, .ready):
            phase = .ready
            return [.prepare(process: process)]
        case (.beginning, .begun):
            phase = .taking
            return [.serve]
        case (.taking, .client(let client, let state)):
            guard clients.updateValue(.preparing, forKey: client) == nil else {
                return refuse("\(HandOverError.unexpected("a client for the second time"))")
            }
            return [.adopt(client, state)]
        case (.taking, .commit(let client)):
            guard clients[client] == .prepared else { return [] }
            clients[client] = .held
            return [.hold(client)]
        case (.taking, .settled):
            let held = clients.filter { $0.value == .held }.keys.sorted()
            for client in held { clients[client] = nil }
            return held.map { .run($0) }
        case (.taking, .withdraw(let client)):
            guard clients.removeValue(forKey: client) != nil else { return [] }
            return [.drop(client)]
        case (.over, _): return []
        case (_, .refusal(let reason)):
            isRefused = true
            return lost("it does not go on: \(reason)")
        default: return refuse("\(HandOverError.unexpected(message.name))")
        }
    }

    /// The old process is told that this is no good, and keeps what is not ours yet. What it has committed is.
    mutating func refuse(_ reason: String) -> [Action] {
        isRefused = true
        return [.send(.refusal(reason))] + lost(reason)
    }

    /// The connection is gone, and the old process with it: what it had offered and we have accepted is ours, because it served it no
    /// more.
    mutating func lost(_ reason: String) -> [Action] {
        if phase == .over { return [] }
        let wasBeginning = phase == .beginning && !isRefused
        let hadBegun = phase == .taking || wasBeginning
        phase = .over
        guard hadBegun else { return [.fail(reason)] }
        // Nobody else serves any more.
        if wasBeginning { return [.serve, .close(reason)] }
        var actions: [Action] = []
        for (client, arrival) in clients.sorted(by: { $0.key < $1.key }) {
            if arrival == .preparing, !isRefused { continue }
            clients[client] = nil
            actions.append(arrival == .held || !isRefused ? .run(client) : .drop(client))
        }
        return actions + [.close(reason)]
    }

    // MARK: This process

    /// This process can serve now.
    mutating func begin(process: Int32, limit: UInt64?) -> [Action] {
        guard phase == .ready else { return [.fail("the old process is gone")] }
        phase = .beginning
        return [.send(.begin(process: process, limit: limit))]
    }

    /// A client could be served.
    mutating func adopted(_ client: UInt64) -> [Action] {
        guard clients[client] != nil else { return [.drop(client)] }
        if phase == .over {
            clients[client] = nil
            return [.run(client)]
        }
        clients[client] = .prepared
        return [.send(.accept(client))]
    }

    /// A client that is held has done something, or is ended.
    mutating func used(_ client: UInt64) -> [Action] {
        guard clients[client] == .held else { return [] }
        clients[client] = nil
        return [.send(.use(client)), .run(client)]
    }

    /// A client cannot be served here.
    mutating func declined(_ client: UInt64, reason: String) -> [Action] {
        guard clients.removeValue(forKey: client) != nil, phase != .over else { return [] }
        return [.send(.decline(client, reason: reason))]
    }
}
