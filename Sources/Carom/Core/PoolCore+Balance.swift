// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What makes some backends better than others beside their priorities and weights: where they are, and for how long they are back.
extension PoolCore {
    /// The pool has a zone, and the backend is not known to be there.
    func isFarAway(_ backend: Backend) -> Bool {
        policy.source.zone.map { backend.attributes["zone"] != $0 } ?? false
    }

    /// A connect succeeded, which is not noted yet. A backend that is back, or new beside others, has its turns from now on, not those
    /// that it missed, and comes to its full share slowly if the policy wants that.
    mutating func welcome(_ backend: Int, now: Int64) {
        let record = backends[backend]
        let isBack = record.isDead || record.health.isUnreachable && record.counts.usable == 0
        guard isBack || record.isNewcomer else { return }
        backends[backend].isNewcomer = false
        let others = order.filter { $0 != backend && backends[$0].state == .online }
        backends[backend].pass = max(record.pass, others.map { backends[$0].pass }.min() ?? 0)
        beginRamp(backend, now: now)
    }

    mutating func beginRamp(_ backend: Int, now: Int64) {
        if policy.slowStart == .never { return }
        backends[backend].rampSince = now
        needsPlan = true
    }

    /// Notes how much of their shares backends have that come to them slowly, and when that is to be done again.
    mutating func followRamps(_ now: Int64) {
        for backend in order where backends[backend].rampSince != .never {
            let time = now.since(backends[backend].rampSince)
            if time >= policy.slowStart {
                backends[backend].rampSince = .never
                backends[backend].ramp = 1
            } else {
                backends[backend].ramp = max(
                    1 / Self.rampSteps, Double(time) / Double(policy.slowStart))
                replanAt = min(replanAt, now.after(max(1, policy.slowStart / Int64(Self.rampSteps))))
            }
        }
    }

    private static var rampSteps: Double { 10 }

    /// Two of the backends with idle connections, of those that rank best, and the better one first; nil if there are not that many.
    mutating func twoAtRandom(now: Int64) -> (Int, Int)? {
        var (best, count) = (Int.max, 0)
        for entry in ready {
            let rank = backends[Int(entry)].rank
            if rank < best { (best, count) = (rank, 0) }
            if rank == best { count += 1 }
        }
        if count < 3 { return nil }
        let one = random.below(count)
        let other = (one + 1 + random.below(count - 1)) % count
        var (first, second, place) = (-1, -1, 0)
        for entry in ready where backends[Int(entry)].rank == best {
            if place == one { first = Int(entry) }
            if place == other { second = Int(entry) }
            place += 1
        }
        return isBetter(second, than: first, now: now) ? (second, first) : (first, second)
    }
}
