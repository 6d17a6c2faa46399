// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Synchronization

/// Which client a CancelRequest means. One registry serves all workers, and a look-up costs one hash.
///
/// It knows numbers only; the secret is with the client's session, which compares it. Clients that are in another process, because one is
/// taking over from the other, are looked for there.
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

    private let targets = Mutex<[UInt32: Target]>([:])
    let others = Mutex(Others())

    /// Makes the key of a client. From now on its number means this client.
    ///
    /// - Parameter wanted: its number, unless another client has that.
    func register(
        _ owner: UInt64, on worker: Worker, version: ProtocolVersion, as wanted: UInt32? = nil,
        using random: inout some RandomNumberGenerator
    ) -> CancelKey {
        var wanted = wanted
        while true {
            let number = wanted ?? CancelKey.number(using: &random)
            wanted = nil
            let isNew = targets.withLock { targets in
                if targets[number] != nil { return false }
                targets[number] = Target(worker: worker, owner: owner)
                return true
            }
            if isNew { return CancelKey(version: version, number: number, using: &random) }
        }
    }

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
        target(of: request) != nil || others.withLock { $0.predecessor != nil || $0.successor != nil }
    }

    /// Passes a request on to the server that works for the client which it means, and waits until it has arrived there.
    func deliver(_ request: CancelRequest, from origin: Origin) async {
        if let target = target(of: request) {
            return await target.worker.cancelQuery(of: target.owner, request)
        }
        let others = others.withLock { $0 }
        if origin != .predecessor { await others.predecessor?.pass(request) }
        if origin != .successor { await others.successor?.pass(request) }
    }

    /// The same for a request that another process has passed on. On the worker's thread.
    func deliver(
        _ request: CancelRequest, from origin: Origin, on worker: Worker,
        _ arrived: @escaping @Sendable () -> Void
    ) {
        worker.spawn {
            await self.deliver(request, from: origin)
            arrived()
        }
    }

    /// The client that the request's number means.
    func target(of request: CancelRequest) -> Target? {
        targets.withLock { $0[request.processID] }
    }
}
