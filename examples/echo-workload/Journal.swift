// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Which server each claim went to, and when, in tenths of a second since the start.
final class Journal: Sendable {
    struct Entries: Sendable {
        var timeline: [String: [Int]] = [:]
        var lastClaim: [String: Double] = [:]
        var failedClaims = 0
        var brokenEchoes = 0
        /// The first few failures in words.
        var errors: [String] = []
    }

    /// Seconds since 1970 at the start.
    let start = Journal.now
    private let entries = Mutex(Entries())
    private let keepsTimeline: Bool

    static let binsPerSecond = 10.0

    /// - Parameter keepsTimeline: whether to count in tenths of a second; for a run that ends.
    init(keepsTimeline: Bool) {
        self.keepsTimeline = keepsTimeline
    }

    /// Seconds since 1970.
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    func claimed(_ backend: String) {
        guard keepsTimeline else { return }
        let now = Self.now
        let bin = max(0, Int((now - start) * Self.binsPerSecond))
        entries.withLock { entries in
            entries.lastClaim[backend] = now
            var bins = entries.timeline.removeValue(forKey: backend) ?? []
            if bins.count <= bin { bins += Array(repeating: 0, count: bin + 1 - bins.count) }
            bins[bin] += 1
            entries.timeline[backend] = bins
        }
    }

    func failed(_ reason: String) {
        entries.withLock { entries in
            entries.failedClaims += 1
            if entries.errors.count < 20 { entries.errors.append(reason) }
        }
    }

    func broke(_ reason: String) {
        entries.withLock { entries in
            entries.brokenEchoes += 1
            if entries.errors.count < 20 { entries.errors.append(reason) }
        }
    }

    var contents: Entries { entries.withLock { $0 } }
}
