// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a claim is made of: given back exactly once, by whatever comes first.
@usableFromInline
struct Lease: ~Copyable, Sendable {
    @usableFromInline let engine: PoolEngine
    @usableFromInline let box: any AnyConnectionBox
    @usableFromInline let slot: SlotID
    @usableFromInline var open = true

    init(_ engine: PoolEngine, _ box: any AnyConnectionBox, _ slot: SlotID) {
        self.engine = engine
        self.box = box
        self.slot = slot
    }

    /// As the connector judges it.
    @usableFromInline
    consuming func recycle() {
        open = false
        engine.giveBack(box, slot)
    }

    @usableFromInline
    consuming func discard(blame: Bool) {
        open = false
        engine.giveBack(box, slot, .discard(.discarded, blame: blame, suspect: false))
    }

    @inlinable
    deinit {
        if open { engine.forgotten(box, slot) }
    }
}
