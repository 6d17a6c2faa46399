// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Synchronization

/// A histogram that one thread adds to while any may read.
struct CountedDurations: ~Copyable, Sendable {
    /// `DurationHistogram.lengths` of them, which a type cannot name.
    private let counts: InlineArray<22, Atomic<UInt64>> = .init { _ in Atomic(0) }
    private let nanoseconds = Atomic<UInt64>(0)

    /// Adds several that took this long together; each counts as an equal part. On the owner's thread only.
    @inline(__always)
    func add(_ count: Int, nanoseconds sum: UInt64) {
        let each = count == 1 ? sum : sum / UInt64(count)
        Self.add(UInt64(count), to: counts[DurationHistogram.length(of: each)])
        Self.add(sum, to: nanoseconds)
    }

    /// Read one after the other while the owner goes on.
    var values: DurationHistogram {
        var read = [UInt64](repeating: 0, count: DurationHistogram.lengths)
        for length in read.indices { read[length] = counts[length].load(ordering: .relaxed) }
        return DurationHistogram(counts: read, nanoseconds: nanoseconds.load(ordering: .relaxed))
    }

    @inline(__always)
    private static func add(_ amount: UInt64, to counter: borrowing Atomic<UInt64>) {
        counter.store(counter.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }
}
