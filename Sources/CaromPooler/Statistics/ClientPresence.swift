// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// How many clients one worker has. The worker writes, any thread may read.
final class ClientPresence: Sendable {
    private let present = Atomic<Int>(0)

    /// Exact on the worker's thread.
    var count: Int { present.load(ordering: .relaxed) }

    /// A client has come. On the worker's thread only.
    func enter() { present.store(count + 1, ordering: .relaxed) }

    /// A client has gone. On the worker's thread only.
    func leave() { present.store(count - 1, ordering: .relaxed) }
}
