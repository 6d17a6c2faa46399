// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor

/// Decides, in the process that hands over, what its successor is told and what becomes of each client. It has no socket, no thread
/// and no clock.
///
/// A client is given away in three steps. It is _offered_: nothing is read from it any more, and the successor gets its state and its
/// socket. The successor _accepts_, and does not read from it either. Then this process lets go of it and _commits_; from there on it
/// is the successor's. So at each instant one process at most serves the client, and the death of the other is told from its answer.
///
/// A client that was committed is _kept_ for a while: until the successor says that it serves it, which it does before it reads from it for
/// the first time, or until everybody that could go has gone. If the successor dies before, this process takes the client back.
struct DepartureMachine {
    enum Phase: Equatable {
        /// The other process has said nothing yet. → `preparing`, `over`
        case silent
        /// It has the listening sockets and makes itself ready. Nothing has changed here. → `pausing`, `over`
        case preparing
        /// It is ready, and this process stops accepting. → `handingOver`, `over`
        case pausing
        /// Clients go, each when it can. → `over`
        case handingOver
        /// The other process is gone, or does not go on.
        case over
    }

    enum Action: Equatable {
        case send(HandOverMessage)
        /// Each listening socket is sent, and that these were all.
        case sendListeners
        /// This process accepts nobody any more; ``began(_:)`` when that is so.
        case pause(process: Int32, limit: UInt64?)
        /// A client is to be offered as soon as it can go.
        case ask(UInt64)
        /// A client is let go of; ``departed(_:)`` when that has happened.
        case depart(UInt64)
        /// A client that was offered goes on here.
        case stay(UInt64, reason: String)
        /// A client that was kept is the successor's.
        case forget(UInt64)
        /// All of them are.
        case forgetAll
        /// A client that was let go of goes on here.
        case takeBack(UInt64)
        /// Only these addresses are listened on by the successor.
        case keepListeners([SocketAddress])
        case stop
        /// This process serves again as before.
        case serveAgain
        /// The connection is closed, for the reason given.
        case close(String)
    }

    private enum Offer: Equatable {
        /// → `leaving`, or none when the client stays.
        case made(at: Deadline)
        /// It was accepted, and is being let go of.
        case leaving
    }

    private(set) var phase = Phase.silent
    /// Clients that are still to be asked, last first.
    private var waiting: [UInt64] = []
    /// Clients that were asked and have not answered.
    private var asked: Set<UInt64> = []
    private var offers: [UInt64: Offer] = [:]
    private var kept: Set<UInt64> = []
    /// Since when nobody is under way.
    private var restingSince: Deadline?

    /// Clients that are under way at a time: each stands still for as long as the others need.
    static let window = 16
    /// After so long without an answer a client goes on here.
    static let patience = Duration.seconds(5)

    /// How long clients are kept when nobody is under way any more.
    static let keepTime = Duration.seconds(1)

    /// Nobody is under way or still to be asked, and nobody is kept.
    var isDone: Bool { isAtRest && kept.isEmpty }

    private var isAtRest: Bool { waiting.isEmpty && asked.isEmpty && offers.isEmpty }

    /// Clients that were offered and have no answer yet.
    var offered: Int { offers.count }

    // MARK: What the other process says

    mutating func received(_ message: HandOverMessage) -> [Action] {
        switch (phase, message) {
        case (.silent, .hello(let version)):
            guard version == HandOverMessage.version else {
                return refuse("\(HandOverError.version(version))")
            }
            phase = .preparing
            return [.sendListeners]
        case (.preparing, .begin(let process, let limit)):
            phase = .pausing
            return [.pause(process: process, limit: limit)]
        case (.handingOver, .accept(let client)):
            // One that was withdrawn meanwhile is not accepted any more.
            guard case .made = offers[client] else { return [] }
            offers[client] = .leaving
            return [.depart(client)]
        case (.handingOver, .decline(let client, let reason)):
            guard case .made = offers[client] else { return [] }
            offers[client] = nil
            return [.stay(client, reason: reason)] + ask()
        case (.handingOver, .use(let client)):
            return kept.remove(client) == nil ? [] : [.forget(client)]
        case (.handingOver, .listening(let addresses)), (.pausing, .listening(let addresses)):
            return [.keepListeners(addresses)]
        case (.handingOver, .stop), (.pausing, .stop): return [.stop]
        case (_, .refusal(let reason)): return lost("it does not go on: \(reason)", isGone: false)
        case (.over, _): return []
        default: return refuse("\(HandOverError.unexpected(message.name))")
        }
    }

    /// The other process is told that this is no good, and does not count on anything.
    mutating func refuse(_ reason: String) -> [Action] {
        [.send(.refusal(reason))] + lost(reason, isGone: false)
    }

    /// The connection is gone.
    ///
    /// - Parameter isGone: the other process is gone with it; if not it goes on with what was committed.
    mutating func lost(_ reason: String, isGone: Bool = true) -> [Action] {
        if phase == .over { return [] }
        let wasServing = phase == .silent || phase == .preparing
        phase = .over
        var actions: [Action] = []
        for (client, offer) in offers.sorted(by: { $0.key < $1.key }) where offer != .leaving {
            offers[client] = nil
            actions.append(.stay(client, reason: reason))
        }
        waiting = []
        asked = []
        if !kept.isEmpty { actions += isGone ? kept.sorted().map { .takeBack($0) } : [.forgetAll] }
        kept = []
        if !wasServing { actions.append(.serveAgain) }
        return actions + [.close(reason)]
    }

    // MARK: Clients

    /// Nobody is accepted any more, and these clients are here.
    mutating func began(_ clients: [UInt64]) -> [Action] {
        guard phase == .pausing else { return [] }
        phase = .handingOver
        waiting = clients.reversed()
        return [.send(.begun)] + ask()
    }

    /// These have logged in since.
    mutating func came(_ clients: [UInt64]) -> [Action] {
        guard phase == .handingOver else { return [] }
        waiting = clients.reversed() + waiting
        return ask()
    }

    /// A client cannot go, or not now: then it is offered when it can.
    mutating func answered(_ client: UInt64) -> [Action] {
        guard asked.remove(client) != nil else { return [] }
        return ask()
    }

    /// A client can go, and stands still.
    ///
    /// - Returns: whether it is offered; if not it goes on.
    mutating func offer(_ client: UInt64, at now: Deadline) -> Bool {
        asked.remove(client)
        guard phase == .handingOver else { return false }
        offers[client] = .made(at: now)
        return true
    }

    /// A client that was accepted has been let go of.
    mutating func departed(_ client: UInt64) -> [Action] {
        guard offers.removeValue(forKey: client) != nil else { return [] }
        // The other process was never told that it is its own.
        if phase == .over { return [.takeBack(client)] }
        kept.insert(client)
        return [.send(.commit(client))] + ask()
    }

    /// A client that was offered is ended here.
    mutating func ended(_ client: UInt64) -> [Action] {
        guard offers.removeValue(forKey: client) != nil else { return [] }
        return [.send(.withdraw(client))] + ask()
    }

    /// Time has passed.
    mutating func look(at now: Deadline) -> [Action] {
        var actions: [Action] = []
        for (client, offer) in offers.sorted(by: { $0.key < $1.key }) {
            guard case .made(let then) = offer, then + Self.patience <= now else { continue }
            offers[client] = nil
            actions += [.send(.withdraw(client)), .stay(client, reason: "the new process does not answer")]
        }
        return actions + ask() + settle(at: now)
    }

    private mutating func settle(at now: Deadline) -> [Action] {
        guard phase == .handingOver, isAtRest, !kept.isEmpty else {
            restingSince = nil
            return []
        }
        guard let since = restingSince, since + Self.keepTime <= now else {
            restingSince = restingSince ?? now
            return []
        }
        kept = []
        restingSince = nil
        return [.send(.settled), .forgetAll]
    }

    private mutating func ask() -> [Action] {
        var actions: [Action] = []
        while asked.count + offers.count < Self.window, let client = waiting.popLast() {
            asked.insert(client)
            actions.append(.ask(client))
        }
        return actions
    }
}
