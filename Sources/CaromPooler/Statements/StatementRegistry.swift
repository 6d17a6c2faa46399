// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Glibc
import Synchronization

/// The prepared statements of all clients of a route. Clients that prepare the same text under the same settings share one.
///
/// A statement is kept as long as a client has it.
final class StatementRegistry: Sendable {
    private struct Known {
        struct Entry {
            let number: UInt64
            // Unowned in effect: a statement takes itself out before it is gone.
            weak var statement: PreparedStatement?
            /// The settings' part of what it is found by.
            let meaning: TextMeaning
        }

        var entries: [Int: [Entry]] = [:]
        var count = 0
        var bytes = 0
    }

    private let known = Mutex(Known())
    private let numbers: StatementNumbers
    /// Shared with the registries of all other routes.
    let memory: StatementMemory

    init(numbers: StatementNumbers = StatementNumbers(), memory: StatementMemory = StatementMemory()) {
        self.numbers = numbers
        self.memory = memory
    }

    /// How many statements clients have now, and how many bytes their texts are.
    var size: (count: Int, bytes: Int) { known.withLock { ($0.count, $0.bytes) } }

    /// The statements that clients have now and share, for tables.
    var all: [PreparedStatement] {
        // One that is let go of takes itself out, which it must not do under the lock: so none is let go of before the end.
        known.withLock { known in known.entries.values.flatMap { $0.compactMap(\.statement) } }
    }

    /// A point in time, by which it is known whether a server's copy of a statement is older than a client's Parse.
    func now() -> UInt64 { numbers.now() }

    /// The statement of this content under these settings.
    ///
    /// - Parameters:
    ///   - content: text, terminator and types, as Parse has them.
    ///   - meaning: the client's settings; nil for a statement that nobody shares.
    func statement(
        _ content: RawSpan, meaning: TextMeaning?, effects: @autoclosure () -> StatementEffects
    ) -> PreparedStatement {
        guard let meaning else {
            return PreparedStatement(
                number: nextNumber(), content: content.array(), effects: effects(), nil, memory)
        }
        let hash = Self.hash(content, meaning.key)
        return known.withLock { known in
            for entry in known.entries[hash] ?? [] where entry.meaning.key == meaning.key {
                if let statement = entry.statement, Self.isSame(statement.content, content) {
                    return statement
                }
            }
            let statement = PreparedStatement(
                number: nextNumber(), content: content.array(), effects: effects(), meaning, memory,
                hash: hash, in: self)
            known.entries[hash, default: []].append(
                Known.Entry(number: statement.number, statement: statement, meaning: meaning))
            known.count += 1
            known.bytes += statement.content.count
            return statement
        }
    }

    /// A statement that a server has to read by settings that are not known to be those of its Parse.
    func statement(readNow statement: PreparedStatement, _ book: inout SessionBook) -> PreparedStatement {
        if statement.meaning == nil {
            guard let meaning = book.meaning else { return statement }
            let content = statement.content
            return self.statement(content.span.bytes, meaning: meaning, effects: statement.effects)
        }
        // Other servers can still read it right.
        return PreparedStatement(
            number: nextNumber(), content: statement.content, effects: statement.effects, statement.meaning,
            memory)
    }

    /// A statement is gone, because no client has it any more.
    func remove(_ number: UInt64, hash: Int, size: Int) {
        known.withLock { known in
            known.entries[hash]?.removeAll { $0.number == number }
            if known.entries[hash]?.isEmpty == true { known.entries[hash] = nil }
            known.count -= 1
            known.bytes -= size
        }
    }

    func nextNumber() -> UInt64 { numbers.next() }

    private static func hash(_ content: RawSpan, _ meaning: [UInt8]) -> Int {
        var hasher = Hasher()
        content.withUnsafeBytes { hasher.combine(bytes: $0) }
        meaning.withUnsafeBytes { hasher.combine(bytes: $0) }
        return hasher.finalize()
    }

    private static func isSame(_ bytes: [UInt8], _ span: RawSpan) -> Bool {
        guard bytes.count == span.byteCount else { return false }
        if bytes.isEmpty { return true }
        return span.withUnsafeBytes { span in
            bytes.withUnsafeBytes { memcmp($0.baseAddress!, span.baseAddress!, span.count) == 0 }
        }
    }
}
