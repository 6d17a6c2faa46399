// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol
import DequeModule

/// The prepared statements of one server session: those that many clients share, by number, and the unnamed one.
///
/// A message is recorded when it is sent, by its number in the session's flow; an error tells which of them had no effect.
package struct ServerStatements: Sendable {
    /// Those of the client API; the pooler has none.
    var client = StatementCache()
    /// What must go in front of a message that uses a shared statement.
    package struct Preparation: Equatable, Sendable {
        /// Closed first: those that were used least recently, because the session holds as many as it may, or more since a Close
        /// was skipped.
        package var evicted: [UInt64] = []
        /// The session's own copy is closed first: it may be older than it should be, or missing.
        package var closesFirst = false
        /// The statement is to be parsed.
        package var parses = false

        package init() {}
    }

    private struct Held: Sendable {
        /// When the text was parsed, by the clock of the pool's statements.
        var parsedAt: UInt64
        /// For the choice of the one that goes.
        var usedAt: UInt64
        /// The number and the batch of the Parse.
        var sentAs: UInt64
        var batch: UInt64
        /// Digests of the types that its parameters have, and of the shape of its rows; 0 as long as that is not known.
        var types: UInt64 = 0
        var rows: UInt64 = 0

        /// It is closed before it is used, which does no harm where it is missing, and goes first.
        static let inDoubt = Held(parsedAt: 0, usedAt: 0, sentAs: 0, batch: 0)
    }

    private enum Change: Sendable {
        case parsed
        case closed
    }

    private struct Pending: Sendable {
        let number: UInt64
        let batch: UInt64
        let statement: UInt64
        let change: Change
    }

    /// Of the simple query that is being answered, if the server got it in other words.
    package var rewriting: QueryRewriting?
    private var held: [UInt64: Held] = [:]
    private var uses: UInt64 = 0
    /// Changes that an error may still undo, oldest first.
    private var pending = Deque<Pending>()
    /// The number of the last of them, by the statement.
    private var lastPending: [UInt64: UInt64] = [:]
    /// Whose unnamed statement the session has.
    package private(set) var unnamed = Unnamed.none
    /// The number and the batch of the message that made it so.
    private var unnamedSentAs: UInt64 = 0
    private var unnamedBatch: UInt64 = 0
    /// The digest of the shape of its rows; 0 as long as that is not known.
    package private(set) var unnamedRows: UInt64 = 0
    /// What it was before, as long as that may come back, oldest first.
    private var unnamedBefore = Deque<(unnamed: Unnamed, sentAs: UInt64)>()

    /// What is known of the unnamed statement.
    package enum Unnamed: Equatable, Sendable {
        /// There is none.
        case none
        /// There may be one, of anybody.
        case unknown
        /// The one that this user parsed as its `version`th.
        case of(user: UInt64, version: UInt64)
    }

    /// What the session says of its statements.
    package var descriptions = ServerDescriptions()

    package init() {}

    /// How many shared statements the session holds.
    package var count: Int { held.count }

    // MARK: Shared statements

    /// A client uses a statement that it has parsed at `parsedAt`: what the session needs before that.
    ///
    /// - Parameters:
    ///   - isOwnParse: the message is the Parse itself, which the client has sent.
    ///   - types: the digest of those that the parameters must have; 0 for any.
    package mutating func prepare(
        _ statement: UInt64, parsedAt: UInt64, isOwnParse: Bool, types: UInt64 = 0, limit: Int,
        _ flow: borrowing QueryFlow
    ) -> Preparation {
        uses &+= 1
        var preparation = Preparation()
        if let known = held[statement] {
            if !isOwnParse, known.parsedAt >= parsedAt, types == 0 || known.types == types {
                held[statement]?.usedAt = uses
                return preparation
            }
            preparation.closesFirst = true
        } else {
            // A Close under way may still be skipped.
            preparation.closesFirst = isOpen(statement, flow)
            if held.count >= limit { preparation.evicted = leastRecentlyUsed(held.count - limit + 1) }
        }
        preparation.parses = true
        return preparation
    }

    private func leastRecentlyUsed(_ count: Int) -> [UInt64] {
        func isEarlier(_ one: (key: UInt64, value: Held), _ other: (key: UInt64, value: Held)) -> Bool {
            (one.value.usedAt, one.key) < (other.value.usedAt, other.key)
        }
        if count == 1 { return held.min(by: isEarlier).map { [$0.key] } ?? [] }
        return held.sorted(by: isEarlier).prefix(count).map(\.key)
    }

    /// The session closes a statement with the message that was sent last.
    package mutating func didClose(_ statement: UInt64, _ flow: borrowing QueryFlow) {
        held[statement] = nil
        note(statement, .closed, flow)
    }

    /// The session parses a statement with the message that was sent last.
    ///
    /// - Parameter types: the digest of those that its parameters get; 0 if the server chooses them.
    package mutating func didParse(
        _ statement: UInt64, at time: UInt64, types: UInt64 = 0, _ flow: borrowing QueryFlow
    ) {
        held[statement] = Held(
            parsedAt: time, usedAt: uses, sentAs: flow.extendedSent, batch: flow.batch, types: types)
        note(statement, .parsed, flow)
    }

    private mutating func note(_ statement: UInt64, _ change: Change, _ flow: borrowing QueryFlow) {
        while let first = pending.first, first.number <= flow.extendedDone { removeFirstPending() }
        lastPending[statement] = flow.extendedSent
        pending.append(
            Pending(number: flow.extendedSent, batch: flow.batch, statement: statement, change: change))
    }

    @discardableResult
    private mutating func removeFirstPending() -> Pending {
        let first = pending.removeFirst()
        if lastPending[first.statement] == first.number { lastPending[first.statement] = nil }
        return first
    }

    /// Whether it shows only when an earlier batch is answered if the session has the statement.
    package func isOpen(_ statement: UInt64, _ flow: borrowing QueryFlow) -> Bool {
        guard let known = held[statement] else {
            // What was closed in the open batch fails together with the use.
            guard let last = lastPending[statement], last > flow.extendedDone else { return false }
            return last <= flow.syncedThrough
        }
        return known.sentAs > flow.extendedDone && known.batch != flow.batch
    }

    /// Whether the session may have the statement.
    package func holds(_ statement: UInt64) -> Bool { held[statement] != nil }

    /// Whether the session has the statement for certain, unless what is under way fails.
    package func surelyHolds(_ statement: UInt64) -> Bool { (held[statement]?.parsedAt ?? 0) > 0 }

    /// The digest of the shape of a statement's rows; 0 as long as that is not known.
    package func rows(of statement: UInt64) -> UInt64 { held[statement]?.rows ?? 0 }

    /// The session has described a statement.
    ///
    /// - Parameters:
    ///   - message: the number of the Describe.
    ///   - types: 0 if it did not tell.
    package mutating func wasDescribed(_ statement: UInt64, by message: UInt64, types: UInt64, rows: UInt64) {
        // Another may have come in its place since.
        guard let known = held[statement], known.sentAs < message else { return }
        held[statement]?.rows = rows
        if types != 0 { held[statement]?.types = types }
    }

    /// The session has described the unnamed statement.
    package mutating func unnamedWasDescribed(by message: UInt64, rows: UInt64) {
        if unnamedSentAs < message { unnamedRows = rows }
    }

    /// A statement is parsed anew before it is used, unless it was in the batch that is open.
    package mutating func renew(_ statement: UInt64, _ flow: borrowing QueryFlow) {
        if let known = held[statement], known.batch != flow.batch { doubt(statement) }
    }

    /// SQL ends the statement, or has ended it, or fails to: it may be there or not.
    package mutating func doubt(_ statement: UInt64) { held[statement] = Held.inDoubt }

    /// The extended messages with these numbers failed or were skipped.
    package mutating func failed(_ numbers: ClosedRange<UInt64>) {
        if descriptions.isWanted { descriptions.failed(through: numbers.upperBound) }
        // What came later is not touched: clients may send thousands of messages ahead.
        var earlier: [(unnamed: Unnamed, sentAs: UInt64)] = []
        while let entry = unnamedBefore.first, entry.sentAs <= numbers.upperBound {
            unnamedBefore.removeFirst()
            if entry.sentAs == numbers.lowerBound {
                earlier = [(.unknown, 0)]
            } else if !numbers.contains(entry.sentAs) {
                earlier.append(entry)
            }
        }
        for entry in earlier.reversed() { unnamedBefore.prepend(entry) }
        while numbers.contains(unnamedSentAs) {
            // A Parse that fails takes the old statement with it; one that is skipped does not.
            if unnamedSentAs == numbers.lowerBound {
                endUnnamed(.unknown)
            } else {
                (unnamed, unnamedSentAs) = unnamedBefore.popLast() ?? (.unknown, 0)
                unnamedRows = 0
            }
        }
        var failed: [Pending] = []
        while let first = pending.first, first.number <= numbers.upperBound {
            removeFirstPending()
            if numbers.contains(first.number) { failed.append(first) }
        }
        // Of several changes to a statement the first says what it was before them: it is undone last. What a later batch has made of
        // it stands until that is answered.
        for entry in failed.reversed() where lastPending[entry.statement] == nil {
            switch entry.change {
            case .parsed: held[entry.statement] = nil
            // It is still there, but nobody knows how old it is.
            case .closed: held[entry.statement] = Held.inDoubt
            }
        }
    }

    /// `DEALLOCATE ALL` or `DISCARD ALL`, between the extended messages of this number and the next.
    package mutating func removeAll(through number: UInt64 = .max) {
        held = held.filter { $0.value.sentAs > number }
        client.removeAll()
        while let first = pending.first, first.number <= number { removeFirstPending() }
    }

    // MARK: The unnamed statement

    /// Whether it shows only when an earlier batch is answered which unnamed statement the session has.
    package func isUnnamedOpen(_ flow: borrowing QueryFlow) -> Bool {
        unnamedSentAs > flow.extendedDone && unnamedBatch != flow.batch
    }

    /// The message that was sent last replaces the unnamed statement, or ends it.
    package mutating func setUnnamed(_ next: Unnamed, _ flow: borrowing QueryFlow) {
        // One that cannot be refused any more is the oldest that may come back.
        if unnamedSentAs <= flow.extendedDone, !unnamedBefore.isEmpty { unnamedBefore = [] }
        unnamedBefore.append((unnamed, unnamedSentAs))
        while unnamedBefore.count > 1, unnamedBefore[1].sentAs <= flow.extendedDone {
            unnamedBefore.removeFirst()
        }
        unnamedSentAs = flow.extendedSent
        unnamedBatch = flow.batch
        unnamed = next
        unnamedRows = 0
    }

    /// The unnamed statement is gone, or nobody knows.
    package mutating func endUnnamed(_ next: Unnamed = .none) {
        unnamed = next
        unnamedSentAs = 0
        unnamedRows = 0
        if !unnamedBefore.isEmpty { unnamedBefore = [] }
    }
}
