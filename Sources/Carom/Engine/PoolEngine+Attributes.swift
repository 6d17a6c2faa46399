// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

extension PoolEngine {
    /// The connection's attributes, if they have changed since the core learnt them.
    @inline(__always)
    func learnt(_ box: AnyPooledConnection, _ standing: Standing) -> Learnt? {
        if standing.attributesVersion == box.attributesVersion.load(ordering: .relaxed) { return nil }
        return read(box, standing)
    }

    private func read(_ box: AnyPooledConnection, _ standing: Standing) -> Learnt {
        // The version was read first: what is read now is at least as new.
        Learnt(version: standing.attributesVersion, attributes: connector.attributes(box))
    }

    /// Reads what is known of a connection again: somebody says that it has changed.
    func reviewAttributes(of slot: SlotID) {
        guard let box = state.withLock({ $0.box(slot) }) else { return }
        let learnt = read(box, connector.standing(box))
        decide { state, now in state.learn(box, learnt, now) }
    }
}

/// What a connection matches, as of a version.
struct Learnt: Sendable {
    let version: Int
    let attributes: [String: String]
}

extension EngineState {
    /// Tells the core what was read, unless somebody has told it something newer.
    mutating func learn(_ box: AnyPooledConnection, _ learnt: Learnt, _ now: Int64) {
        if learnt.version < box.attributesVersion.load(ordering: .relaxed) { return }
        box.attributesVersion.store(learnt.version, ordering: .relaxed)
        guard self.box(box.slot) != nil, core.differs(box.slot, learnt.attributes) else { return }
        // Its holder must not reclaim it as what it was, and its neighbours will be checked.
        takeAllParked(now)
        recall(box, now)
        core.learned(box.slot, learnt.attributes, now: now)
    }
}
