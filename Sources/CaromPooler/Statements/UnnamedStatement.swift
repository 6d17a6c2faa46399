// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import DequeModule

/// What a client's unnamed statement is, and was, as long as the server may still refuse what changed it.
///
/// It lasts until the next Parse of it, its Close, or a simple query (PostgreSQL protocol, "Extended Query"). A Parse that fails takes
/// the old one with it; one that is skipped after a failure does not, nor one whose text cannot be converted.
struct UnnamedStatement {
    private struct Version {
        /// Text, terminator, types; empty if there is none.
        var content: [UInt8] = []
        var effects = StatementEffects.none
        /// The settings that the text is read by; nil if they were not known.
        var meaning: TextMeaning?
        /// Which of the client's unnamed statements it is.
        var version: UInt64 = 0
        /// The number and the batch of the message that made it.
        var number: UInt64 = 0
        var batch: UInt64 = 0
        /// Simple queries end it, each unless one of the messages up to its number here fails: then the query is skipped.
        var endsBehind: [UInt64] = []
        /// Of a text that is longer than what every client may keep.
        var share: StatementMemory.Share?
        /// What the client was told of it.
        var told = ClientDescriptions.Told()

        /// Whether the server can have read its text, which clients of this encoding send as it is.
        ///
        /// The same error tells of a text that is no UTF-8 and of a literal in it whose escapes give none; behind the first the
        /// statement before is still there.
        var isReadable: Bool {
            String(validating: content.prefix { $0 != 0 }, as: UTF8.self) != nil
        }

        mutating func clear() {
            content.removeAll(keepingCapacity: content.capacity <= UnnamedStatement.keptCapacity)
            effects = .none
            if share != nil { share = nil }
            if told.rows != 0 || told.types != nil { told = ClientDescriptions.Told() }
            if !endsBehind.isEmpty { endsBehind = [] }
        }
    }

    private var current = Version()
    /// Those before it that may come back, oldest first.
    private var earlier = Deque<Version>()
    /// How many there were.
    private var count: UInt64 = 0
    private var descriptions = ClientDescriptions()

    /// Memory for a longer text is given back, and counts as long as it is there.
    static var keptCapacity: Int { 1_024 }

    var exists: Bool { !current.content.isEmpty }
    var content: [UInt8] { current.content }
    var mayAddRows: Bool { RowWriting.mayBegin(current.content) }
    var effects: StatementEffects { current.effects }
    var version: UInt64 { current.version }

    /// Whether it shows only when an earlier batch is answered what it is.
    mutating func isOpen(_ flow: borrowing QueryFlow) -> Bool {
        if !current.endsBehind.isEmpty {
            if current.endsBehind.contains(where: { $0 <= flow.extendedDone }) {
                current.clear()
            } else {
                return true
            }
        }
        return current.number > flow.extendedDone && current.batch != flow.batch
    }

    /// The message that was sent last parses another, whose text is told by ``set(_:effects:)``, or closes it.
    mutating func replace(_ flow: borrowing QueryFlow) {
        if current.number < flow.extendedSent, current.number <= flow.extendedDone {
            // It cannot be refused any more, so what was before it does not come back.
            if earlier.count == 1 { swap(&earlier[0], &current) } else { earlier = [take()] }
        } else {
            earlier.append(take())
            // Of those that are answered the last can come back, and no other.
            while earlier.count > 1, earlier[1].number <= flow.extendedDone { earlier.removeFirst() }
        }
        current.clear()
        count &+= 1
        current.version = count
        current.number = flow.extendedSent
        current.batch = flow.batch
    }

    private mutating func take() -> Version {
        var taken = Version()
        swap(&taken, &current)
        return taken
    }

    mutating func set(
        _ content: RawSpan, effects: StatementEffects, _ meaning: TextMeaning?, _ memory: StatementMemory
    ) {
        if content.byteCount > Self.keptCapacity {
            current.share = StatementMemory.Share(of: content.byteCount, in: memory)
        }
        content.withUnsafeBytes { current.content.append(contentsOf: $0) }
        current.effects = effects
        if current.meaning !== meaning { current.meaning = meaning }
    }

    /// Makes the server of the moment have the statement, or none if there is none: it must not run another client's.
    ///
    /// - Returns: whether it is parsed for that.
    mutating func provide(
        _ user: UInt64, _ registry: StatementRegistry, _ server: inout ServerState,
        _ book: borrowing SessionBook, _ out: inout Segments
    ) -> Bool {
        let wanted: ServerStatements.Unnamed = exists ? .of(user: user, version: version) : .none
        if server.statements.unnamed == wanted { return false }
        let detour = exists ? current.meaning.flatMap { book.detour(of: content, to: $0, server.flow) } : nil
        if let detour { HiddenMessages.run(detour.there, registry, &server, &out) }
        server.sendHidden()
        out.append {
            if exists {
                let content = current.told.types?.content(of: current.content) ?? current.content
                Parse.encode(name: [], content: content.span.bytes, into: &$0)
            } else {
                NamedObject(.statement, name: [UInt8]()).encodeClose(into: &$0)
            }
        }
        server.statements.setUnnamed(wanted, server.flow)
        if let detour { HiddenMessages.run(detour.back, registry, &server, &out) }
        return exists
    }

    // MARK: Descriptions

    /// What is to be done before the server's statement is bound; see ``ClientDescriptions/judge(told:known:)``.
    mutating func judge(_ server: borrowing ServerState) -> ClientDescriptions.Verdict {
        descriptions.judge(told: current.told.rows, known: server.statements.unnamedRows)
    }

    /// Whether the server's statement is known to have the rows that the client was told of.
    func isKept(_ server: borrowing ServerState) -> Bool {
        current.told.rows == 0 || current.told.rows == server.statements.unnamedRows
    }

    /// Asks the server what rows it has: the Bind waits.
    mutating func ask(_ server: inout ServerState, _ out: inout Segments) {
        HiddenMessages.describe([], &server, &out)
        descriptions.ask(RawSpan(), version, parsedAt: 0, &server)
    }

    /// The message that was sent last describes it.
    mutating func expectDescription(_ server: inout ServerState) {
        descriptions.expect(RawSpan(), version, parsedAt: 0, message: server.flow.extendedSent, &server)
    }

    /// The server has described it.
    mutating func described(
        _ answer: ServerDescriptions.Answer, _ server: inout ServerState, _ memory: StatementMemory
    ) {
        guard let awaited = descriptions.take(answer.message) else { return }
        server.statements.unnamedWasDescribed(by: answer.message, rows: answer.rows)
        if awaited.isHidden || awaited.meaning != version || !exists { return }
        current.told = current.told.and(answer, ofContent: current.content) {
            ParameterTypes($0, in: memory)
        }
    }

    // MARK: Another process

    /// The statement, for another process; nil if there is none.
    var record: StatementRecord? {
        if !exists { return nil }
        return StatementRecord(
            name: [], content: current.content, meaning: current.meaning?.key,
            types: current.told.types?.bytes, rows: current.told.rows)
    }

    /// The client has prepared this in another process.
    mutating func take(_ record: StatementRecord, _ memory: StatementMemory) {
        let content = record.content.span.bytes
        count &+= 1
        current.version = count
        set(
            content, effects: StatementEffects(ofContent: content),
            record.meaning.map { TextMeaning(key: $0) }, memory)
        current.told = record.told { ParameterTypes($0, in: memory) }
    }

    // MARK: Ends

    /// A simple query is sent.
    ///
    /// - Returns: whether it ends the statement for certain.
    @inline(__always)
    mutating func endByQuery(_ flow: borrowing QueryFlow) -> Bool {
        if flow.isSkippingToSync { return false }
        if flow.maySkipQuery {
            current.endsBehind.append(flow.extendedSent)
            return false
        }
        // One whose end may fail does not come back behind the query.
        if exists || current.number != 0 { end() }
        return true
    }

    private mutating func end() {
        current.clear()
        current.number = 0
        earlier = []
    }

    /// The messages with these numbers had no effect. The first of them failed; the others were skipped.
    ///
    /// - Parameters:
    ///   - isUnread: by its error the server could not read the text of that one.
    ///   - isUTF8: texts are in UTF-8.
    mutating func failed(_ numbers: ClosedRange<UInt64>, isUnread: Bool = false, isUTF8: Bool = false) {
        descriptions.failed(through: numbers.upperBound)
        // What came later is not touched: clients may send thousands of messages ahead.
        let isOfCurrent = current.number <= numbers.upperBound
        var versions: [Version] = []
        while let first = earlier.first, first.number <= numbers.upperBound {
            versions.append(earlier.removeFirst())
        }
        if isOfCurrent { versions.append(current) }
        var kept: [Version] = []
        for var version in versions {
            // A query behind them was skipped, or has run.
            version.endsBehind.removeAll { numbers.contains($0) }
            if version.endsBehind.contains(where: { $0 < numbers.lowerBound }) { version.clear() }
            if version.number == numbers.lowerBound, !isUnread || isUTF8 && version.isReadable {
                version = Version()
                kept = []
            } else if numbers.contains(version.number) {
                // What ends it has come behind the one before it, too, which is there again.
                if let last = kept.indices.last { kept[last].endsBehind += version.endsBehind }
                continue
            }
            kept.append(version)
        }
        if isOfCurrent { current = kept.popLast() ?? Version() }
        for version in kept.reversed() { earlier.prepend(version) }
    }

    /// Nothing is under way: no message can fail any more.
    @inline(__always)
    mutating func settle() {
        descriptions.settle()
        if current.number == 0, current.endsBehind.isEmpty { return }
        if !current.endsBehind.isEmpty { current.clear() }
        current.number = 0
        if earlier.count > 1 { earlier.removeFirst(earlier.count - 1) }
    }
}
