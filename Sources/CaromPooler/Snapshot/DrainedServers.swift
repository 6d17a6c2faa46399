// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Synchronization

/// Servers that an operator has taken out of use: whatever resolvers say, pools do not hear of them. They are known by what the operator
/// called them, so that one that leaves its resolver and comes back is still out. Reloads change nothing about it.
final class DrainedServers: Sendable {
    private let texts = Mutex<Set<String>>([])

    /// What is out.
    var all: [String] { texts.withLock { $0.sorted() } }

    /// - Returns: false if it was out already.
    func add(_ text: String) -> Bool { texts.withLock { $0.insert(text).inserted } }

    /// - Returns: false if it was not out.
    func remove(_ text: String) -> Bool { texts.withLock { $0.remove(text) != nil } }

    func contains(_ backend: Backend) -> Bool {
        texts.withLock { texts in texts.contains { Self.means($0, backend) } }
    }

    /// Whether a text is this server's name or address.
    static func means(_ text: String, _ backend: Backend) -> Bool {
        text == backend.name || text == backend.address.description
    }
}
