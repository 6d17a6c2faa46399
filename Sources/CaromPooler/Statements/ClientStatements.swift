// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// The prepared statements of one client whose servers change: what its names mean, and how that is said to the server of the moment.
///
/// A named statement is shared with all clients of the route that prepared the same. The server knows it by a name of ours, under which
/// it is parsed when a client needs it there. The client's own Parse always goes to the server, so that it fails where it
/// would fail directly, and so that a plan is never older than the client's wish for it.
struct ClientStatements {
    /// What a client's name means.
    private struct Entry {
        var statement: PreparedStatement
        /// The settings under which it was parsed; see ``SessionBook/version``.
        var version: Int
        /// A server's copy that is older is parsed anew.
        let parsedAt: UInt64
    }

    /// What a message did to the names, as long as the server may still refuse it.
    private struct Change {
        let number: UInt64
        /// The batch of the message.
        let batch: UInt64
        let name: [UInt8]
        /// What the name meant before Close; nil for a Parse.
        let closed: Entry?
        let parsedAt: UInt64
    }

    /// A Parse that comes in pieces.
    private struct LongParse {
        let name: [UInt8]
        let number: UInt64
        let parsedAt: UInt64
        var content: [UInt8]
    }

    private let registry: StatementRegistry
    private let user: UInt64
    /// How many shared statements a server holds.
    private let limit: Int
    private var named = NameTable<Entry>()
    /// How many names the client has for statements of which it has several: an error names a statement by its number.
    private var numbers: [UInt64: Int] = [:]
    /// By which of several names a message meant its statement.
    private var uses: [(message: UInt64, name: [UInt8])] = []
    private var changes: [Change] = []
    /// Names that the server refused, which may still stand in errors to come.
    private var refused: [(number: UInt64, name: [UInt8])] = []
    /// A server's copy of any of these that is older is parsed anew.
    private var oldest: UInt64 = 0

    private var unnamed = UnnamedStatement()
    private var long: LongParse?
    /// The setting that the statement of the last Bind takes back, if that is all that it does.
    private(set) var lastReset: String?

    init(_ registry: StatementRegistry, user: UInt64, limit: Int) {
        self.registry = registry
        self.user = user
        self.limit = limit
    }

    /// Longer names, of statements and portals together, are refused: PostgreSQL looks at the first 63 bytes only.
    private static var longestNames: Int { 1_024 }

    /// What became of a message.
    enum Outcome {
        /// It is recorded and on its way. These may be its effects.
        case sent(StatementEffects)
        /// More of it is needed.
        case needMore
        /// What it means shows only when what the client has sent before is answered.
        case mustWait
    }

    // MARK: From the client

    /// Sends an extended message on, or its beginning, with the names that the server knows, and in front of it what the server
    /// lacks.
    ///
    /// - Parameters:
    ///   - range: of the message in the chunk, as far as it has come.
    ///   - length: of the whole message.
    ///   - book: the client's settings.
    mutating func forward(
        _ tag: FrontendTag, _ range: Range<Int>, length: Int, of chunk: RawSpan, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        let message = ExtendedMessage(tag, range, length: length, chunk)
        // What the server discards anyway, and what is no such message, is the server's to deal with.
        if server.flow.isSkippingToSync || server.flow.awaitsClientData {
            return try pass(message, &server, &out)
        }
        switch tag {
        case .bind, .describe, .close:
            let names: ExtendedMessage.Names?
            do throws(WireError) { names = try message.names() } catch {
                if message.isPart, range.count < Self.longestNames { return .needMore }
                names = nil
            }
            guard let names else { return try pass(message, &server, &out) }
            if names.isPortal { return try pass(message, &server, &out) }
            if isOpen(names.statement.isEmpty ? nil : message.bytes(names.statement), &server) {
                return .mustWait
            }
            if names.statement.isEmpty {
                return tag == .close
                    ? try closeUnnamed(message, &server, &out) : try useUnnamed(message, &server, &book, &out)
            }
            return tag == .close
                ? try close(message, names, &server, &out) : try use(message, names, &server, &book, &out)
        case .parse:
            let name: Range<Int>
            do throws(WireError) { name = try message.parseName() } catch {
                if message.isPart, range.count < Self.longestNames { return .needMore }
                return try pass(message, &server, &out)
            }
            if !name.isEmpty, isOpen(message.bytes(name), &server) { return .mustWait }
            return try parse(message, name, &server, &book, &out)
        default: return try pass(message, &server, &out)
        }
    }

    /// Whether it shows only when an earlier batch is answered what a name means. Nil for the unnamed statement.
    private mutating func isOpen(_ name: RawSpan?, _ server: inout ServerState) -> Bool {
        let done = server.flow.extendedDone
        guard let name else {
            return unnamed.isOpen(server.flow)
        }
        if !changes.isEmpty {
            for change in changes where change.number > done && change.batch != server.flow.batch {
                if NameTable<Entry>.isSame(change.name, name) { return true }
            }
        }
        guard server.flow.awaitsServer, let entry = named[name] else { return false }
        return server.statements.isOpen(entry.statement.number, server.flow)
    }

    /// More of a message that was too long to be kept.
    mutating func forwardMore(_ range: Range<Int>, isLast: Bool, of chunk: RawSpan) {
        guard long != nil else { return }
        chunk.extracting(range).withUnsafeBytes { long?.content.append(contentsOf: $0) }
        if isLast { finishLong() }
    }

    private func pass(_ message: borrowing ExtendedMessage, _ server: inout ServerState, _ out: inout Segments)
        throws(SessionEnd) -> Outcome
    {
        try Self.record(message.tag, &server)
        out.append(chunk: message.range)
        return .sent([])
    }

    private static func record(_ tag: FrontendTag, _ server: inout ServerState) throws(SessionEnd) {
        do throws(FlowError) { try server.send(tag) } catch { throw .fatal(error.sqlState, "\(error)") }
    }

    // MARK: Named statements

    private mutating func use(
        _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        guard let entry = named[message.bytes(names.statement)] else {
            return try passUnknown(message, names, &server, &out)
        }
        if message.tag == .bind, entry.statement.effects.contains(.deallocates),
            let number = prepareDeallocation(entry.statement.content, &server, &out)
        {
            return try sendDeallocation(number, message, names, &server, &out)
        }
        let statement = prepare(entry, message.bytes(names.statement), &server, &book, &out)
        try Self.record(message.tag, &server)
        noteUse(of: statement.number, message.bytes(names.statement), server.flow)
        out.append { message.appendRenamed(names, to: statement.number, into: &$0) }
        out.append(chunk: message.rest(names))
        if message.tag != .bind { return .sent([]) }
        noteSettings(statement.effects, statement.content, &book)
        return .sent(statement.effects)
    }

    /// A name that the client has not given: the server says so, in its own words.
    private func passUnknown(
        _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names, _ server: inout ServerState,
        _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        guard PreparedStatement.isReserved(message.bytes(names.statement)) else {
            return try pass(message, &server, &out)
        }
        try Self.record(message.tag, &server)
        out.append { message.appendEscaped(names, into: &$0) }
        out.append(chunk: message.rest(names))
        return .sent([])
    }

    /// Adds what the server needs before the statement can be used there.
    private mutating func prepare(
        _ entry: Entry, _ clientName: RawSpan, _ server: inout ServerState, _ book: inout SessionBook,
        _ out: inout Segments
    ) -> PreparedStatement {
        var statement = entry.statement
        let parsedAt = max(entry.parsedAt, oldest)
        var preparation = server.statements.prepare(
            statement.number, parsedAt: parsedAt, isOwnParse: false, limit: limit, server.flow)
        if !preparation.parses { return statement }
        if entry.version != book.version {
            // It is parsed under the settings of now, and is shared with those who have the same.
            let content = statement.content
            let effects = statement.effects
            statement = registry.statement(content.span.bytes, meaning: book.meaning, effects: effects)
            setMeaning(of: clientName, to: Entry(statement: statement, version: book.version, parsedAt: parsedAt))
            preparation = server.statements.prepare(
                statement.number, parsedAt: parsedAt, isOwnParse: false, limit: limit, server.flow)
            if !preparation.parses { return statement }
        }
        makeRoom(preparation, for: statement.number, &server, &out)
        server.sendHidden()
        server.statements.didParse(statement.number, at: registry.now(), server.flow)
        let content = statement.content
        let name = PreparedStatement.name(statement.number)
        out.append { Parse.encode(name: name, content: content.span.bytes, into: &$0) }
        return statement
    }

    /// Closes what is in the way of a Parse.
    private func makeRoom(
        _ preparation: ServerStatements.Preparation, for number: UInt64, _ server: inout ServerState,
        _ out: inout Segments
    ) {
        if let evicted = preparation.evicted { Self.close(evicted, &server, &out) }
        if preparation.closesFirst { Self.close(number, &server, &out) }
    }

    private static func close(_ number: UInt64, _ server: inout ServerState, _ out: inout Segments) {
        server.sendHidden()
        server.statements.didClose(number, server.flow)
        out.append { NamedObject(.statement, name: PreparedStatement.name(number)).encodeClose(into: &$0) }
    }

    private mutating func close(
        _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names, _ server: inout ServerState,
        _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        let closed = setMeaning(of: message.bytes(names.statement), to: nil)
        let outcome = try passUnknown(message, names, &server, &out)
        if let closed {
            note(
                Change(
                    number: server.flow.extendedSent, batch: server.flow.batch,
                    name: message.bytes(names.statement).array(), closed: closed, parsedAt: closed.parsedAt), server.flow)
        }
        return outcome
    }

    private mutating func parse(
        _ message: borrowing ExtendedMessage, _ name: Range<Int>, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        let content = message.bytes(after: name)
        if name.isEmpty { return try parseUnnamed(message, content, &server, &out) }
        let key = message.bytes(name)
        if let entry = named[key] {
            return try parseAgain(entry, message, name, &server, &out)
        }
        let parsedAt = registry.now()
        let statement: PreparedStatement?
        let number: UInt64
        if message.isPart {
            statement = nil
            number = registry.nextNumber()
        } else {
            let shared = registry.statement(
                content, meaning: book.meaning, effects: Self.effects(of: content))
            statement = shared
            number = shared.number
        }
        let preparation = server.statements.prepare(
            number, parsedAt: parsedAt, isOwnParse: true, limit: limit, server.flow)
        makeRoom(preparation, for: number, &server, &out)
        try sendParse(message, name, as: number, &server, &out)
        server.statements.didParse(number, at: parsedAt, server.flow)
        note(
            Change(
                number: server.flow.extendedSent, batch: server.flow.batch, name: key.array(), closed: nil,
                parsedAt: parsedAt), server.flow)
        if let statement {
            setMeaning(of: key, to: Entry(statement: statement, version: book.version, parsedAt: parsedAt))
        } else {
            long = LongParse(
                name: key.array(), number: number, parsedAt: parsedAt, content: content.array())
        }
        return .sent([])
    }

    /// The client has a statement of that name. The server says so, because it has one of the name that it is given; unless the text is
    /// wrong, which it says first.
    private mutating func parseAgain(
        _ entry: Entry, _ message: borrowing ExtendedMessage, _ name: Range<Int>, _ server: inout ServerState,
        _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        let number = registry.nextNumber()
        let preparation = server.statements.prepare(
            number, parsedAt: 0, isOwnParse: true, limit: limit, server.flow)
        makeRoom(preparation, for: number, &server, &out)
        parseAnything(number, &server, &out)
        // Behind the error it cannot be closed: it goes when its turn comes.
        server.statements.didParse(number, at: 0, server.flow)
        try sendParse(message, name, as: number, &server, &out)
        uses.append((server.flow.extendedSent, message.bytes(name).array()))
        return .sent([])
    }

    private func sendParse(
        _ message: borrowing ExtendedMessage, _ name: Range<Int>, as number: UInt64, _ server: inout ServerState,
        _ out: inout Segments
    ) throws(SessionEnd) {
        try Self.record(.parse, &server)
        out.append { message.appendRenamedParse(name, to: number, into: &$0) }
        out.append(chunk: message.range.lowerBound + Framing.headerSize + name.upperBound + 1..<message.range.upperBound)
    }

    private mutating func finishLong() {
        guard let parse = long else { return }
        long = nil
        let content = parse.content
        if parse.number == 0 {
            unnamed.set(content.span.bytes, effects: Self.effects(of: content.span.bytes))
            return
        }
        let statement = PreparedStatement(
            number: parse.number, content: content, effects: Self.effects(of: content.span.bytes), hash: 0, in: nil)
        setMeaning(
            of: parse.name.span.bytes, to: Entry(statement: statement, version: 0, parsedAt: parse.parsedAt))
    }

    private static func effects(of content: RawSpan) -> StatementEffects {
        var reader = WireReader(content)
        guard let text = try? reader.readText() else { return [] }
        return StatementEffects(of: content.extracting(text))
    }

    /// A statement that may change settings runs.
    private mutating func noteSettings(
        _ effects: StatementEffects, _ content: [UInt8], _ book: inout SessionBook
    ) {
        if !effects.contains(.settings) { return }
        let text = content.prefix { $0 != 0 }
        let bytes = Array(text)
        book.note(customNames: SettingNames.custom(in: bytes.span.bytes))
        lastReset = effects.contains(.resets) ? SettingNames.reset(by: bytes.span.bytes) : nil
    }

    // MARK: The unnamed statement

    private mutating func parseUnnamed(
        _ message: borrowing ExtendedMessage, _ content: RawSpan, _ server: inout ServerState, _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        let outcome = try pass(message, &server, &out)
        unnamed.replace(server.flow)
        server.statements.setUnnamed(.of(user: user, version: unnamed.version), server.flow)
        if message.isPart {
            long = LongParse(name: [], number: 0, parsedAt: 0, content: content.array())
        } else {
            unnamed.set(content, effects: Self.effects(of: content))
        }
        return outcome
    }

    private mutating func useUnnamed(
        _ message: borrowing ExtendedMessage, _ server: inout ServerState, _ book: inout SessionBook,
        _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        if !unnamed.exists {
            // It must not be another client's: the server says that there is none.
            if server.statements.unnamed != .none {
                server.sendHidden()
                out.append { NamedObject(.statement, name: [UInt8]()).encodeClose(into: &$0) }
                server.statements.setUnnamed(.none, server.flow)
            }
        } else if message.tag == .bind, unnamed.effects.contains(.deallocates),
            let names = try? message.names(),
            let number = prepareDeallocation(unnamed.content, &server, &out)
        {
            return try sendDeallocation(number, message, names, &server, &out)
        } else if server.statements.unnamed != .of(user: user, version: unnamed.version) {
            server.sendHidden()
            out.append { Parse.encode(name: [], content: unnamed.content.span.bytes, into: &$0) }
            server.statements.setUnnamed(.of(user: user, version: unnamed.version), server.flow)
        }
        _ = try pass(message, &server, &out)
        if message.tag != .bind { return .sent([]) }
        noteSettings(unnamed.effects, unnamed.content, &book)
        return .sent(unnamed.effects)
    }

    private mutating func closeUnnamed(
        _ message: borrowing ExtendedMessage, _ server: inout ServerState, _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        let outcome = try pass(message, &server, &out)
        server.statements.setUnnamed(.none, server.flow)
        unnamed.replace(server.flow)
        return outcome
    }

    /// A simple query is sent, which ends the unnamed statement.
    @inline(__always)
    mutating func querySent(_ server: inout ServerState) {
        if unnamed.endByQuery(server.flow) { server.statements.endUnnamed() }
    }

    // MARK: What the server says

    private mutating func noteUse(of number: UInt64, _ name: RawSpan, _ flow: borrowing QueryFlow) {
        if (numbers[number] ?? 0) < 2 { return }
        if let first = uses.first, first.message <= flow.extendedDone {
            uses.removeAll { $0.message <= flow.extendedDone }
        }
        uses.append((flow.extendedSent, name.array()))
    }

    /// - Returns: what the name meant before.
    @discardableResult
    private mutating func setMeaning(of name: RawSpan, to entry: Entry?) -> Entry? {
        let before = named.set(name, to: entry)
        if let number = before?.statement.number, let count = numbers[number] {
            numbers[number] = count > 1 ? count - 1 : nil
        }
        if let entry { numbers[entry.statement.number, default: 0] += 1 }
        return before
    }

    private mutating func note(_ change: Change, _ flow: borrowing QueryFlow) {
        if let first = changes.first, first.number <= flow.extendedDone {
            changes.removeAll { $0.number <= flow.extendedDone }
        }
        changes.append(change)
    }

    /// The messages with these numbers had no effect. The first of them failed; the others were skipped.
    mutating func failed(_ numbers: ClosedRange<UInt64>) {
        unnamed.failed(numbers)
        if changes.isEmpty { return }
        for change in changes.reversed() where numbers.contains(change.number) {
            let name = change.name.span.bytes
            if change.closed != nil {
                if named[name] == nil { setMeaning(of: name, to: change.closed) }
            } else if let entry = named[name], entry.parsedAt == change.parsedAt {
                setMeaning(of: name, to: nil)
                refused.append((entry.statement.number, change.name))
            }
        }
        changes.removeAll { $0.number <= numbers.upperBound }
    }

    /// `DEALLOCATE ALL` or `DISCARD ALL`.
    mutating func removeAll() {
        // What is under way may still name them.
        refused.append(contentsOf: named.all.map { ($0.value.statement.number, $0.name) })
        named.removeAll()
        numbers = [:]
        changes = []
    }

    /// Nothing is under way: no message can fail any more.
    @inline(__always)
    mutating func settle() {
        unnamed.settle()
        if !changes.isEmpty { changes = [] }
        if !refused.isEmpty { refused = [] }
        if !uses.isEmpty { uses = [] }
    }

    /// Plans that servers have are of no use any more: tables have changed.
    mutating func expirePlans() { oldest = registry.now() }

    /// An error about a statement, with the client's name for it.
    ///
    /// - Parameter number: of the message that failed.
    func renamed(_ error: ErrorFields, number failed: UInt64?) -> ErrorFields {
        guard let name = error.quotedName else { return error }
        if let own = PreparedStatement.unescaped(name) { return error.quoting(own) }
        guard let number = PreparedStatement.number(ofName: name) else { return error }
        let use = failed.flatMap { failed in uses.last { $0.message == failed }?.name }
        let own =
            use ?? named.name { $0.statement.number == number } ?? refused.last { $0.number == number }?.name
            ?? changes.last { $0.closed?.statement.number == number }?.name
        return own.map(error.quoting) ?? error
    }

    // MARK: Commands of our own

    /// What a message runs: the effects and the first byte of the text of a Parse, or of the statement of a Bind. Nil for others.
    mutating func text(of tag: FrontendTag, _ range: Range<Int>, _ chunk: RawSpan) -> (
        effects: StatementEffects, first: UInt8?
    )? {
        let message = ExtendedMessage(tag, range, length: range.count, chunk)
        switch tag {
        case .parse:
            guard let name = try? message.parseName() else { return nil }
            let content = message.bytes(after: name)
            return (Self.effects(of: content), content.byteCount > 0 ? content.unsafeLoad(fromByteOffset: 0, as: UInt8.self) : nil)
        case .bind:
            guard let names = try? message.names() else { return nil }
            if names.statement.isEmpty { return (unnamed.effects, unnamed.content.first) }
            guard let entry = named[message.bytes(names.statement)] else { return nil }
            return (entry.statement.effects, entry.statement.content.first)
        default: return nil
        }
    }

    /// Runs a command in front of the client's next message, in its batch.
    func runHidden(_ command: [UInt8], _ server: inout ServerState, _ out: inout Segments) {
        let name = PreparedStatement.name(registry.nextNumber())
        for _ in 0..<5 { server.sendHidden() }
        out.append {
            Parse(name: name, query: command).encode(into: &$0)
            Bind(portal: name, statement: name).encode(into: &$0)
            Execute(portal: name).encode(into: &$0)
            NamedObject(.portal, name: name).encodeClose(into: &$0)
            NamedObject(.statement, name: name).encodeClose(into: &$0)
        }
    }

    // MARK: DEALLOCATE

    /// The number of a statement that the client has prepared by Parse.
    mutating func number(of name: [UInt8]) -> UInt64? { named[name.span.bytes]?.statement.number }

    /// The client ends a statement by a simple query.
    mutating func deallocate(_ name: [UInt8]) { setMeaning(of: name.span.bytes, to: nil) }

    /// Makes the server have a statement of this number, whatever it does.
    func parseAnything(_ number: UInt64, _ server: inout ServerState, _ out: inout Segments) {
        // No statement at all: that can be parsed in a failed transaction, too.
        Self.parse(number, [], &server, &out)
    }

    /// The client is about to run a statement that ends another one, by the client's name. Adds one that ends it by the server's.
    ///
    /// - Returns: the number of the one that is added; nil if the statement to be ended is none that was prepared by Parse.
    private mutating func prepareDeallocation(
        _ content: [UInt8], _ server: inout ServerState, _ out: inout Segments
    ) -> UInt64? {
        let text = Array(content.prefix { $0 != 0 })
        guard let wish = Deallocation(text.span.bytes), let entry = named[wish.name.span.bytes] else { return nil }
        let target = entry.statement.number
        if !server.statements.holds(target) {
            Self.parse(target, [], &server, &out)
        }
        let number = registry.nextNumber()
        let command =
            text[..<wish.nameRange.lowerBound] + [UInt8(ascii: "\"")] + PreparedStatement.name(target)
            + [UInt8(ascii: "\"")] + text[wish.nameRange.upperBound...]
        Self.parse(number, Array(command), &server, &out)
        server.statements.forget(target)
        setMeaning(of: wish.name.span.bytes, to: nil)
        note(
            Change(
                number: server.flow.extendedSent + 1, batch: server.flow.batch, name: wish.name, closed: entry,
                parsedAt: entry.parsedAt), server.flow)
        return number
    }

    private static func parse(
        _ number: UInt64, _ text: [UInt8], _ server: inout ServerState, _ out: inout Segments
    ) {
        server.sendHidden()
        let parse = Parse(name: PreparedStatement.name(number), query: text)
        out.append { parse.encode(into: &$0) }
    }

    private func sendDeallocation(
        _ number: UInt64, _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names,
        _ server: inout ServerState, _ out: inout Segments
    ) throws(SessionEnd) -> Outcome {
        try Self.record(message.tag, &server)
        out.append { message.appendRenamed(names, to: number, into: &$0) }
        out.append(chunk: message.rest(names))
        // A portal keeps the plan; the statement is of no more use.
        Self.close(number, &server, &out)
        return .sent([.letsGo])
    }
}
