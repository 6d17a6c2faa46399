// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Synchronization

/// What a holder that parks a connection and a claimer that needs one tell each other without a lock.
///
/// All accesses that matter are sequentially consistent. The holder publishes the parked connection, then looks at
/// `isInUse`, then at `isOpen`. The pool, under its lock, clears `isOpen`, then looks for parked connections. If the
/// holder still found it open, its connection was there before the pool looked; otherwise it gives the connection
/// back, through the lock, and the pool serves whoever waits.
@usableFromInline
final class Parking: Sendable {
    /// Holders may park: nobody waits and nothing else needs every connection in the pool's hands.
    @usableFromInline let isOpen = Atomic<Bool>(false)
    /// Something may be parked, and the pool sweeps at intervals.
    @usableFromInline let isInUse = Atomic<Bool>(false)

    init() {}

    func close() {
        isOpen.store(false, ordering: .sequentiallyConsistent)
    }

    func open() {
        isOpen.store(true, ordering: .sequentiallyConsistent)
    }
}
