// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A pool that shares limits with others: it opens a connection only with a place that its quota has granted, and gives the place
/// back when the slot is free again.
extension PoolCore {
    /// It would begin a connect if it had a place.
    var wantsPlace: Bool { lacksPlace && !isStopping }

    /// Whether a connect may begin, as far as others are concerned. Takes the place.
    mutating func mayTakePlace() -> Bool {
        guard isLimited else { return true }
        if places > 0 {
            places -= 1
            return true
        }
        lacksPlace = true
        return false
    }

    /// A place is granted: it is used at once, or given back.
    mutating func takePlace(_ now: Int64) {
        places += 1
        needsConnects = true
        settle(now)
    }

    /// Connects were looked at: where a place is lacking it is asked for, and again after a while: somebody may let go of an idle
    /// connection then.
    mutating func askForPlace(_ now: Int64) {
        guard lacksPlace else { return }
        asksForPlace = true
        let since = oldestWait
        let wait =
            since == .never
            ? Self.longestPlaceWait * 10
            : max(Quota.patience, min(Self.longestPlaceWait, now.since(since) / 4))
        connectAt = min(connectAt, now.after(wait))
    }

    /// Places that nobody needs any more since this was asked last: of closed connections, and those granted in vain.
    mutating func takeFreedPlaces() -> Int {
        let freed = freedPlaces + places
        freedPlaces = 0
        places = 0
        return freed
    }

    /// Nothing is shared any more.
    mutating func endLimits() {
        isLimited = false
        isPressed = false
        lacksPlace = false
        asksForPlace = false
        (places, freedPlaces) = (0, 0)
    }

    /// When the oldest claim began to wait for a connection, which a place would give it; `never` if none waits. The claims of a
    /// suspended pool wait for something else.
    var oldestWait: Int64 { mode == .running ? queue.oldestSince : .never }

    /// Since when a connection is idle, the one idle longest; `never` if none is.
    var longestIdle: Int64 {
        var longest = Int64.never
        for backend in backends.indices {
            if let slot = coldest(backend) { longest = min(longest, slots[slot].activeAt) }
        }
        return longest
    }

    /// Closes the connection that is idle longest, if it is idle since then. False: there is none.
    mutating func closeIdle(since: Int64, now: Int64) -> Bool {
        var longest: Int?
        for backend in backends.indices {
            guard let slot = coldest(backend) else { continue }
            if let other = longest, slots[other].activeAt <= slots[slot].activeAt { continue }
            longest = slot
        }
        guard let longest, slots[longest].activeAt <= since else { return false }
        close(longest, .madeRoom, now: now)
        settle(now)
        return true
    }

    /// Between two questions for a place, at most.
    private static var longestPlaceWait: Int64 { 100_000_000 }
}
