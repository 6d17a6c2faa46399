// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Controlled delay on the wait queue: bursts may queue, standing queues may not.
///
/// Once the oldest claim has been above the target for a whole interval, every claim above the target is shed until
/// one below it is found. So under any overload those who are served waited about the target, and not as long as
/// the queue could hold them.
struct ControlledDelay: Sendable {
    private var aboveSince: Int64 = .never

    /// Whether the claim at the front, which waited `sojourn`, is to be shed instead of served.
    mutating func sheds(_ sojourn: Int64, now: Int64, target: Int64, interval: Int64) -> Bool {
        if target == .never { return false }
        if sojourn <= target {
            aboveSince = .never
            return false
        }
        if aboveSince == .never { aboveSince = now }
        return now - aboveSince >= interval
    }

    /// Forgets what it saw: the queue is empty.
    mutating func calm() {
        aboveSince = .never
    }
}
