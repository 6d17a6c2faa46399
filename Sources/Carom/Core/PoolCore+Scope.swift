// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Kinds of backends: which the plan counts on, and claims that would rather have one kind than another.
extension PoolCore {
    /// Notes which backends the policy opens connections to. Where it depends on what they are and nobody knows, each is asked
    /// by one connection.
    ///
    /// - Returns: whether they are only asked.
    mutating func applyScope() -> Bool {
        let (wanted, isStrict): ([String: String], Bool)
        switch policy.source.scope {
        case .all:
            for backend in order { backends[backend].isInScope = !backends[backend].isOverruled }
            return false
        case .only(let attributes): (wanted, isStrict) = (attributes, true)
        case .preferring(let attributes): (wanted, isStrict) = (attributes, false)
        }
        let living = order.filter { !backends[$0].isDead && !backends[$0].isOverruled }
        let suitable = living.filter {
            isReachable($0) && AttributeTable.matches(lastKnown($0), wanted)
        }
        let unknown = suitable.isEmpty ? living.filter { mayStillBe(wanted, $0) } : []
        // Whoever would take any is not to wait for one of the kind.
        let others = isStrict && queue.requirements[0].count == 0 ? [] : living
        let chosen = Set(!suitable.isEmpty ? suitable : !unknown.isEmpty ? unknown : others)
        for backend in order { backends[backend].isInScope = chosen.contains(backend) }
        return suitable.isEmpty && !unknown.isEmpty
    }

    /// Nobody has asked the backend yet, and the resolver does not say that it is something else.
    private func mayStillBe(_ wanted: [String: String], _ backend: Int) -> Bool {
        guard backends[backend].learntAt == .min, backends[backend].counts.usable == 0,
            !backends[backend].isDoubted
        else { return false }
        let given = backends[backend].backend.attributes
        return wanted.allSatisfy { key, value in given[key].map { $0 == value } ?? true }
    }

    /// Whether some backend meets this, as far as is known, or may still turn out to. Before the resolver has spoken any may.
    private func isLikely(_ wanted: [String: String]) -> Bool {
        if order.isEmpty { return true }
        return order.contains { backend in
            isReachable(backend) && !backends[backend].isOverruled
                && (AttributeTable.matches(lastKnown(backend), wanted) || mayStillBe(wanted, backend))
        }
    }

    /// It has a connection that works, or nothing is known that speaks against one.
    func isReachable(_ backend: Int) -> Bool {
        backends[backend].counts.usable > 0 || !(backends[backend].isDead || backends[backend].isDoubted)
    }

    /// What a claim asks for now: anything, if it has a preference that is not likely to be met.
    func relaxed(_ request: ClaimRequest) -> ClaimRequest {
        guard request.isPreference, !request.requirement.isEmpty, !isLikely(request.requirement) else {
            return request
        }
        var request = request
        request.requirement = [:]
        return request
    }

    /// The same for claims that wait: any connection will do for them now.
    mutating func relaxWaiters(_ now: Int64) {
        var isRelaxed = false
        for index in queue.requirements.indices.dropFirst()
        where queue.requirements[index].isPreference && queue.requirements[index].count > 0 {
            if isLikely(queue.requirements[index].requirement) { continue }
            queue.relax(index)
            isRelaxed = true
        }
        if isRelaxed, mode == .running { serveFromIdle(now) }
    }
}
