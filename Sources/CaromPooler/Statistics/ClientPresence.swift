// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// How many clients one worker has. The worker writes, any thread may read.
final class ClientPresence: Sendable {
    private let present = Atomic<Int>(0)
    private let displaced = Atomic<Int>(0)
    private let late = Atomic<Int>(0)

    /// Exact on the worker's thread.
    var count: Int { present.load(ordering: .relaxed) }

    /// A client has come. On the worker's thread only.
    func enter() { present.store(count + 1, ordering: .relaxed) }

    /// Clients that were sent away before they had logged in, because others needed their place.
    var displacedCount: Int { displaced.load(ordering: .relaxed) }

    /// A client is sent away for that. On the worker's thread only.
    func displace() { displaced.store(displacedCount + 1, ordering: .relaxed) }

    /// Clients that took too long to log in.
    var lateCount: Int { late.load(ordering: .relaxed) }

    /// A client is sent away for that. On the worker's thread only.
    func countLate() { late.store(lateCount + 1, ordering: .relaxed) }

    /// A client has gone. On the worker's thread only.
    func leave() { present.store(count - 1, ordering: .relaxed) }
}
