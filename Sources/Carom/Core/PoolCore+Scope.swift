// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Kinds of backends: which the plan counts on, and claims that would rather have one kind than another.
extension PoolCore {
    /// Notes which backends the policy opens connections to. Where it depends on what they are and nobody knows, each is asked
    /// by one connection.
    ///
    /// - Returns: whether they are only asked.
    mutating func applyScope() -> Bool {
        guard let wanted = scopeAttributes else {
            for backend in order { backends[backend].isInScope = !backends[backend].isShunned }
            return false
        }
        let living = order.filter { !backends[$0].isDead && !backends[$0].isShunned }
        let suitable = living.filter {
            isReachable($0) && AttributeTable.matches(lastKnown($0), wanted)
        }
        let unknown = suitable.isEmpty ? living.filter { mayStillBe(wanted, $0) } : []
        // Whoever would take any is not to wait for one of the kind.
        let isStrict =
            isScopeStrict && queue.requirements[0].count == 0
            && !(policy.source.whenHeldBack == .others && isHeldBack(wanted))
        let others = isStrict ? [] : living
        let chosen = Set(!suitable.isEmpty ? suitable : !unknown.isEmpty ? unknown : others)
        for backend in order { backends[backend].isInScope = chosen.contains(backend) }
        return suitable.isEmpty && !unknown.isEmpty
    }

    /// What backends must be, or should be, that the policy opens connections to.
    var scopeAttributes: [String: String]? {
        switch policy.source.scope {
        case .all: nil
        case .only(let attributes), .preferring(let attributes): attributes
        }
    }

    private var isScopeStrict: Bool {
        switch policy.source.scope {
        case .all, .preferring: false
        case .only: true
        }
    }

    /// A backend that nobody has asked yet is asked, one at a time, while others of the kind are in use: however busy they are, a
    /// connection is set aside for it, or it would never have its share.
    mutating func reserveForNewcomer(_ total: Int) {
        reservedTotal = 0
        guard let wanted = scopeAttributes, total > 1 else { return }
        var best = Int.max
        for backend in order where !backends[backend].isDead && backends[backend].isInScope {
            best = min(best, backends[backend].rank)
        }
        let newcomer = order.first { backend in
            !backends[backend].isInScope && backends[backend].rank <= best
                && !backends[backend].isDead && !backends[backend].isShunned && mayStillBe(wanted, backend)
        }
        guard let newcomer else { return }
        backends[newcomer].reserved = 1
        reservedTotal = 1
    }

    /// Nobody has asked the backend yet, and the resolver does not say that it is something else.
    func mayStillBe(_ wanted: [String: String], _ backend: Int) -> Bool {
        guard backends[backend].learntAt == .min, backends[backend].counts.usable == 0,
            !backends[backend].isDoubted
        else { return false }
        let given = backends[backend].backend.attributes
        return wanted.allSatisfy { key, value in given[key].map { $0 == value } ?? true }
    }

    /// Whether some backend meets this, as far as is known, or may still turn out to. Before the resolver has spoken any may.
    func isLikely(_ wanted: [String: String]) -> Bool {
        if order.isEmpty { return true }
        return order.contains { backend in
            isReachable(backend) && !backends[backend].isShunned
                && (AttributeTable.matches(lastKnown(backend), wanted) || mayStillBe(wanted, backend))
        }
    }

    /// It has a connection that works, or nothing is known that speaks against one.
    func isReachable(_ backend: Int) -> Bool {
        backends[backend].counts.usable > 0 || !(backends[backend].isDead || backends[backend].isDoubted)
    }

    /// What a claim asks for now: anything, if it has a preference that is not likely to be met.
    func relaxed(_ request: ClaimRequest) -> ClaimRequest {
        guard !request.requirement.isEmpty else { return request }
        let isGivenUp =
            request.isPreference
            ? !isLikely(request.requirement)
            : policy.source.whenHeldBack == .others && isHeldBack(request.requirement)
        if !isGivenUp { return request }
        var request = request
        request.requirement = [:]
        return request
    }

    /// The same for claims that wait: any connection will do for them now. Whom only backends could serve that are held back is told.
    mutating func relaxWaiters(_ now: Int64) {
        var isRelaxed = false
        for index in queue.requirements.indices.dropFirst() where queue.requirements[index].count > 0 {
            var request = ClaimRequest(requirement: queue.requirements[index].requirement)
            request.isPreference = queue.requirements[index].isPreference
            if relaxed(request).requirement == request.requirement { continue }
            queue.relax(index)
            isRelaxed = true
        }
        if isRelaxed, mode == .running { serveFromIdle(now) }
        failHeldBack(now)
    }
}
