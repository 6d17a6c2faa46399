// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import CaromReactor
import Synchronization

/// Which client a CancelRequest means. One registry serves all workers, and a look-up costs one hash.
///
/// It knows numbers only; the secret is with the client's session, which compares it. Clients that are in another process, because one is
/// taking over from the other, are looked for there, and those of a peer's with the peer.
final class CancelRegistry: Sendable {
    struct Target {
        let worker: Worker
        let owner: UInt64
    }

    /// The processes before and after this one, as long as they are there.
    struct Others {
        var predecessor: Predecessor?
        var successor: Successor?
    }

    /// Where a request came from: it goes on to others only, so that none goes round.
    enum Origin {
        case client, predecessor, successor
    }

    /// Other poolers.
    let peers = Peers()
    private let targets = Mutex<[UInt32: Target]>([:])
    let others = Mutex(Others())

    init(_ settings: Settings) { peers.use(settings) }

    /// Makes the key of a client. From now on its number means this client.
    ///
    /// - Parameter wanted: its number, unless another client has that.
    func register(
        _ owner: UInt64, on worker: Worker, version: ProtocolVersion, as wanted: UInt32? = nil,
        using random: inout some RandomNumberGenerator
    ) -> CancelKey {
        let peer = peers.own
        // With peers the number says whose it is; nothing else has room in it.
        var wanted = peer == nil ? wanted : nil
        for attempt in 0... {
            // Such numbers are scarce. Without one the client is found by those who know it, and by nobody else.
            let mark = attempt < Self.markedAttempts ? peer : nil
            var number = wanted ?? CancelKey.number(using: &random)
            if let mark { number = mark.mark(number) }
            wanted = nil
            if number == 0 || mark == nil && peer != nil && PeerID(of: number) == peer { continue }
            let isNew = targets.withLock { targets in
                if targets[number] != nil { return false }
                targets[number] = Target(worker: worker, owner: owner)
                return true
            }
            guard isNew else { continue }
            if let mark { return CancelKey(version: version, of: mark, number: number, using: &random) }
            return CancelKey(version: version, number: number, using: &random)
        }
        preconditionFailure("there are more clients than numbers")
    }

    /// So many numbers that say whose they are may be taken already.
    private static let markedAttempts = 64

    /// A client of another process keeps the key that it has.
    ///
    /// - Returns: nil if another client here has its number.
    func adopt(_ key: BackendKeyData, _ owner: UInt64, on worker: Worker) -> CancelKey? {
        guard let adopted = CancelKey(key) else { return nil }
        return targets.withLock { targets in
            if targets[key.processID] != nil { return nil }
            targets[key.processID] = Target(worker: worker, owner: owner)
            return adopted
        }
    }

    /// The client has gone.
    func remove(_ key: CancelKey) {
        targets.withLock { _ = $0.removeValue(forKey: key.number) }
    }

    /// Whether looking for the client is worth it.
    func mayFind(_ request: CancelRequest) -> Bool {
        target(of: request) != nil || peers.maker(of: request) != nil
            || others.withLock { $0.predecessor != nil || $0.successor != nil }
    }

    /// Passes a request on to the server that works for the client which it means, and waits until it has arrived there.
    ///
    /// - Parameter worker: whose thread it is.
    func deliver(_ request: CancelRequest, from origin: Origin, on worker: Worker) async {
        var request = request
        if let own = peers.own, own.made(request) { request = own.unhopped(request) }
        if let target = target(of: request) {
            return await target.worker.cancelQuery(of: target.owner, request)
        }
        let others = others.withLock { $0 }
        if let peer = peers.maker(of: request) { return await pass(request, on: worker, to: peer) }
        if origin != .predecessor { await others.predecessor?.pass(request) }
        if origin != .successor { await others.successor?.pass(request) }
    }

    private func pass(_ request: CancelRequest, on worker: Worker, to peer: Peer) async {
        guard let next = PeerID.hop(request) else {
            return worker.log.error("a cancel for peer \(peer.settings.name) has gone round: dropped")
        }
        let deadline = Deadline.after(worker.snapshot.settings.cancelTimeout)
        do throws(SystemError) {
            try await peer.pass(next, on: worker.reactor, until: deadline)
        } catch {
            worker.log.error("a cancel has not got to peer \(peer.settings.name): \(error)")
        }
    }

    /// The same for a request that another process has passed on. On the worker's thread.
    func deliver(
        _ request: CancelRequest, from origin: Origin, on worker: Worker,
        _ arrived: @escaping @Sendable () -> Void
    ) {
        worker.spawn {
            await self.deliver(request, from: origin, on: worker)
            arrived()
        }
    }

    /// The client that the request's number means.
    func target(of request: CancelRequest) -> Target? {
        targets.withLock { $0[request.processID] }
    }
}
