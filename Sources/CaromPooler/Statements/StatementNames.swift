// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import DequeModule

/// What a client's names for prepared statements mean.
///
/// A name means something as soon as the message that says so is sent; while the server may still refuse that message, it can be taken
/// back.
struct StatementNames {
    /// What a name means.
    struct Meaning {
        var statement: PreparedStatement
        /// A server's copy that is older is parsed anew.
        let parsedAt: UInt64
        /// What the client was told of it.
        var told = ClientDescriptions.Told()
    }

    /// What a message did to a name.
    private struct Change {
        let number: UInt64
        /// The batch of the message.
        let batch: UInt64
        let name: [UInt8]
        /// What the name meant before it was ended; nil for a Parse.
        let ended: Meaning?
        let parsedAt: UInt64
    }

    private var table = NameTable<Meaning>()
    private let memory: StatementMemory
    /// What the names take of it.
    private(set) var size = 0
    /// Changes that can still be taken back, oldest first.
    private var changes = Deque<Change>()
    /// The number of the last of them, by the hash of the name.
    private var lastChange: [Int: UInt64] = [:]
    /// How many names there are for each statement.
    private var counts: [UInt64: Int] = [:]
    /// By which of several names a message meant its statement: an error names a statement by its number.
    private var uses = Deque<(message: UInt64, name: [UInt8])>()
    /// Names that mean nothing any more, but may still stand in errors to come.
    private var past = Deque<(number: UInt64, name: [UInt8])>()

    /// How many of those are kept: in errors about earlier ones stands the server's name.
    private static var mostPast: Int { 100 }

    init(_ memory: StatementMemory) { self.memory = memory }

    /// What a name takes of memory: itself, and about so much for its place here and what it means.
    static func size(ofName count: Int) -> Int { count + 220 }

    subscript(name: RawSpan) -> Meaning? { mutating get { table[name] } }

    /// Whether it shows only when an earlier batch is answered what a name means.
    func isOpen(_ name: RawSpan, _ flow: borrowing QueryFlow) -> Bool {
        // Another name with the same hash only makes its client wait.
        guard !changes.isEmpty, let last = lastChange[NameTable<Meaning>.hash(name)] else { return false }
        return last > flow.extendedDone && last <= flow.syncedThrough
    }

    /// All names, and what they mean.
    var all: [(name: [UInt8], value: Meaning)] { table.all }

    // MARK: Changes

    /// The message that was sent last gives a name to a statement.
    mutating func add(_ name: RawSpan, _ meaning: Meaning, _ flow: borrowing QueryFlow) {
        set(name, to: meaning)
        noteAdded(name, parsedAt: meaning.parsedAt, flow)
    }

    /// The message that was sent last gives a name, to a statement that is told later.
    mutating func noteAdded(_ name: RawSpan, parsedAt: UInt64, _ flow: borrowing QueryFlow) {
        note(
            Change(
                number: flow.extendedSent, batch: flow.batch, name: name.array(), ended: nil,
                parsedAt: parsedAt), flow)
    }

    /// The message of this number ends a name.
    mutating func end(_ name: RawSpan, by number: UInt64, _ flow: borrowing QueryFlow) {
        guard let ended = set(name, to: nil) else { return }
        note(
            Change(
                number: number, batch: flow.batch, name: name.array(), ended: ended, parsedAt: ended.parsedAt),
            flow)
    }

    /// Sets what a name means, for good.
    ///
    /// - Returns: what it meant before.
    @discardableResult
    mutating func set(_ name: RawSpan, to meaning: Meaning?) -> Meaning? {
        let before = table.set(name, to: meaning)
        if (before == nil) != (meaning == nil) { resize(name, isAdded: before == nil) }
        if let number = before?.statement.number, let count = counts[number] {
            counts[number] = count > 1 ? count - 1 : nil
        }
        if let meaning { counts[meaning.statement.number, default: 0] += 1 }
        if let before, let meaning, before.statement.number != meaning.statement.number {
            // Errors to come may still be about the old number.
            notePast(before.statement.number, name.array())
        }
        return before
    }

    /// The client was told something of a statement, unless the name means another by now.
    mutating func tell(_ told: ClientDescriptions.Told, _ awaited: ClientDescriptions.Awaited) {
        let name = awaited.name.span.bytes
        guard var meaning = table[name], meaning.statement.number == awaited.meaning,
            meaning.parsedAt == awaited.parsedAt
        else { return }
        meaning.told = told
        table.set(name, to: meaning)
    }

    private mutating func resize(_ name: RawSpan, isAdded: Bool) {
        let change = Self.size(ofName: name.byteCount)
        size += isAdded ? change : -change
        if isAdded { memory.take(change) } else { memory.giveBack(change) }
    }

    private mutating func note(_ change: Change, _ flow: borrowing QueryFlow) {
        while let first = changes.first, first.number <= flow.extendedDone { removeFirstChange() }
        lastChange[NameTable<Meaning>.hash(change.name)] = change.number
        changes.append(change)
    }

    @discardableResult
    private mutating func removeFirstChange() -> Change {
        let first = changes.removeFirst()
        let hash = NameTable<Meaning>.hash(first.name)
        if lastChange[hash] == first.number { lastChange[hash] = nil }
        return first
    }

    private mutating func notePast(_ number: UInt64, _ name: [UInt8]) {
        if past.count == Self.mostPast { past.removeFirst() }
        past.append((number, name))
    }

    /// All names are ended that were given up to the message of this number.
    mutating func removeAll(through number: UInt64) {
        let given = changes.filter { $0.number > number && $0.ended == nil }
        for (name, meaning) in table.all where !given.contains(where: { $0.name == name }) {
            // What is under way may still name it.
            notePast(meaning.statement.number, name)
            set(name.span.bytes, to: nil)
        }
        // An end that fails brings back what was given since.
        changes.removeAll { change in
            change.number <= number
                || change.ended != nil
                    && !given.contains { $0.name == change.name && $0.parsedAt == change.parsedAt }
        }
    }

    /// The messages with these numbers had no effect.
    mutating func failed(_ numbers: ClosedRange<UInt64>) {
        // What came later is not touched: clients may send thousands of messages ahead.
        var failed: [Change] = []
        while let first = changes.first, first.number <= numbers.upperBound {
            removeFirstChange()
            if numbers.contains(first.number) { failed.append(first) }
        }
        for change in failed.reversed() {
            let name = change.name.span.bytes
            if change.ended != nil {
                if table[name] == nil { set(name, to: change.ended) }
            } else if let meaning = table[name], meaning.parsedAt == change.parsedAt {
                set(name, to: nil)
                notePast(meaning.statement.number, change.name)
            }
        }
    }

    /// Nothing is under way: no message can fail any more.
    @inline(__always)
    mutating func settle() {
        if !changes.isEmpty {
            changes = []
            lastChange = [:]
        }
        if !past.isEmpty { past = [] }
        if !uses.isEmpty { uses = [] }
    }

    // MARK: Errors

    /// The message that was sent last means a statement by this name.
    ///
    /// - Parameter number: of the statement; nil for one that the client has no other name for.
    mutating func noteUse(of number: UInt64?, _ name: RawSpan, _ flow: borrowing QueryFlow) {
        if let number, (counts[number] ?? 0) < 2 { return }
        while let first = uses.first, first.message <= flow.extendedDone { uses.removeFirst() }
        uses.append((flow.extendedSent, name.array()))
    }

    /// The client's name for a statement that an error is about.
    ///
    /// - Parameter message: the number of the message that failed.
    func name(of statement: UInt64, in message: UInt64?) -> [UInt8]? {
        if let message, let use = uses.last(where: { $0.message == message }) { return use.name }
        return table.name { $0.statement.number == statement }
            ?? past.last { $0.number == statement }?.name
            ?? changes.last { $0.ended?.statement.number == statement }?.name
    }

    /// An error about a statement, with the client's name for it.
    func renamed(_ error: ErrorFields, in message: UInt64?) -> ErrorFields {
        guard let name = error.quotedName else { return error }
        if let own = PreparedStatement.unescaped(name) { return error.quoting(own) }
        guard let number = PreparedStatement.number(ofName: name) else { return error }
        return self.name(of: number, in: message).map(error.quoting) ?? error
    }
}
