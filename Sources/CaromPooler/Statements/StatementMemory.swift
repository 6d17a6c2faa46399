// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Synchronization

/// What the prepared statements that clients have may take of the process's memory.
///
/// It is asked before a Parse is sent and told when a statement is there, so workers can go beyond the limit by a message each.
final class StatementMemory: Sendable {
    private let used = Atomic<Int>(0)
    private let bound: Atomic<Int>

    /// - Parameter limit: nil for none.
    init(limit: Int? = nil) { bound = Atomic(limit ?? .max) }

    /// What is in use, by an estimate: texts and names, and what is kept for each of them.
    var bytes: Int { used.load(ordering: .relaxed) }

    /// What may be used; nil for any amount.
    var limit: Int? {
        let bound = bound.load(ordering: .relaxed)
        return bound == .max ? nil : bound
    }

    /// Another limit holds from now on, for statements to come.
    func use(limit: Int?) { bound.store(limit ?? .max, ordering: .relaxed) }

    /// Whether a statement of this size may be added.
    func hasRoom(for size: Int) -> Bool { bytes <= bound.load(ordering: .relaxed) - size }

    /// Whether a statement with a name and a content of these lengths may be added.
    func hasRoom(forStatementOf content: Int, named name: Int) -> Bool {
        hasRoom(for: StatementNames.size(ofName: name) + PreparedStatement.size(ofContent: content))
    }

    /// It is there.
    func take(_ size: Int) { used.add(size, ordering: .relaxed) }

    /// It is gone.
    func giveBack(_ size: Int) { used.subtract(size, ordering: .relaxed) }

    /// What a client is told whose statement has no room.
    var refusal: ErrorFields {
        ErrorFields(
            severity: .error, code: .outOfMemory, message: "too many prepared statements",
            detail: limit.map { "Those of all clients may take \($0) bytes (prepared_statements_memory)." },
            hint: "close statements that are not needed any more, or raise prepared_statements_memory")
    }

    /// A text that is kept for one client, beside its named statements. It counts as long as this is held.
    final class Share: Sendable {
        let memory: StatementMemory
        private let size: Int

        init(of size: Int, in memory: StatementMemory) {
            self.memory = memory
            self.size = size
            memory.take(size)
        }

        deinit { memory.giveBack(size) }
    }
}
