// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Synchronization

/// Which client a CancelRequest means. One registry serves all workers, and a look-up costs one hash.
///
/// The keys are random and tell nothing about ids, logs or servers; the server's own keys never leave the pooler.
final class CancelRegistry: Sendable {
    private struct Target {
        let worker: Worker
        let owner: UInt64
    }

    private let targets = Mutex<[CancelRequest: Target]>([:])

    /// From now on the key means this client.
    func register(_ key: BackendKeyData, worker: Worker, owner: UInt64) {
        targets.withLock { $0[key.cancelRequest] = Target(worker: worker, owner: owner) }
    }

    /// The client has gone.
    func remove(_ key: BackendKeyData) {
        targets.withLock { _ = $0.removeValue(forKey: key.cancelRequest) }
    }

    /// Passes a request on to the server that works for the client, and returns when it has arrived there. An unknown key
    /// does nothing, as with PostgreSQL: whoever guesses learns nothing.
    func forward(_ request: CancelRequest) async {
        guard let target = targets.withLock({ $0[request] }) else { return }
        await target.worker.cancelQuery(of: target.owner)
    }
}
