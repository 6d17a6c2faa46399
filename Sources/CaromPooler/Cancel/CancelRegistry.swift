// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Synchronization

/// Which client a CancelRequest means. One registry serves all workers, and a look-up costs one hash.
///
/// It knows numbers only; the secret is with the client's session, which compares it.
final class CancelRegistry: Sendable {
    struct Target {
        let worker: Worker
        let owner: UInt64
    }

    private let targets = Mutex<[UInt32: Target]>([:])

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

    /// The client has gone.
    func remove(_ key: CancelKey) {
        targets.withLock { _ = $0.removeValue(forKey: key.number) }
    }

    /// The client that the request's number means.
    func target(of request: CancelRequest) -> Target? {
        targets.withLock { $0[request.processID] }
    }
}
