// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// The named prepared statements of one client, and what a server needs before it can use one.
///
/// A statement is shared with all clients of the route that prepared the same. The server knows it by a name of ours, under which
/// it is parsed when a client needs it there.
struct NamedStatements {
    let registry: StatementRegistry
    var names: StatementNames
    private var descriptions = ClientDescriptions()
    /// How many shared statements a server holds.
    private let limit: Int
    private let counters: Counters
    /// A server's copy of any of these that is older is parsed anew.
    private var oldest: UInt64 = 0

    init(_ registry: StatementRegistry, limit: Int, _ counters: Counters) {
        self.registry = registry
        names = StatementNames(registry.memory)
        self.limit = limit
        self.counters = counters
    }

    // MARK: Bind, Describe, Close

    /// What became of a message that uses a statement.
    enum Use {
        /// It has been sent, with this for its statement.
        case sent(PreparedStatement)
        /// The server was asked something first.
        case mustWait
        /// The rows are not those that the client was told of: nothing has been sent.
        case isStale
    }

    /// Sends a Bind or Describe, and in front of it what the server lacks.
    mutating func use(
        _ entry: StatementNames.Meaning, _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names,
        _ server: inout ServerState, _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> Use {
        let name = message.bytes(names.statement)
        if message.tag == .describe, entry.statement.isFetch {
            server.statements.renew(entry.statement.number, server.flow)
        }
        var statement = prepare(entry, name, &server, &book, &out)
        var tellsNext = false
        if message.tag == .bind {
            let known = server.statements.rows(of: statement.number)
            if known == 0 || entry.told.rows != known { tellsNext = message.isDescribedNext(names) }
            if !tellsNext {
                switch descriptions.judge(told: entry.told.rows, known: known) {
                case .mayRun: break
                case .refuse: return .isStale
                case .parseAndAsk:
                    server.statements.doubt(statement.number)
                    statement = prepare(self.names[name] ?? entry, name, &server, &book, &out)
                    fallthrough
                case .ask:
                    HiddenMessages.describe(PreparedStatement.name(statement.number), &server, &out)
                    descriptions.ask(name, statement.number, parsedAt: 0, &server)
                    return .mustWait
                }
            }
        }
        try message.record(&server)
        self.names.noteUse(of: statement.number, name, server.flow)
        out.append { message.appendRenamed(names, to: statement.number, into: &$0) }
        out.append(chunk: message.rest(names))
        if tellsNext || message.tag == .describe {
            let parsedAt = self.names[name]?.parsedAt ?? entry.parsedAt
            let message = server.flow.extendedSent + (tellsNext ? 1 : 0)
            descriptions.expect(name, statement.number, parsedAt: parsedAt, message: message, &server)
        }
        return .sent(statement)
    }

    /// Adds what the server needs before the statement can be used there.
    private mutating func prepare(
        _ entry: StatementNames.Meaning, _ clientName: RawSpan, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) -> PreparedStatement {
        var statement = entry.statement
        let parsedAt = max(entry.parsedAt, oldest)
        let types = entry.told.types
        var preparation = server.statements.prepare(
            statement.number, parsedAt: parsedAt, isOwnParse: false, types: types?.digest ?? 0, limit: limit,
            server.flow)
        defer { counters.count(preparation.parses ? .poolerParse : .reuse) }
        if !preparation.parses { return statement }
        let detour = statement.meaning.flatMap { book.detour(of: statement.content, to: $0, server.flow) }
        if detour == nil {
            // It is read by the settings of now, and is shared only with those who have the same.
            statement = registry.statement(readNow: statement, &book)
            names.set(
                clientName,
                to: StatementNames.Meaning(statement: statement, parsedAt: parsedAt, told: entry.told))
            preparation = server.statements.prepare(
                statement.number, parsedAt: parsedAt, isOwnParse: false, types: types?.digest ?? 0,
                limit: limit, server.flow)
            if !preparation.parses { return statement }
        }
        HiddenMessages.makeRoom(preparation, for: statement.number, &server, counters, &out)
        if let detour { HiddenMessages.run(detour.there, registry, &server, &out) }
        server.sendHidden()
        server.statements.didParse(
            statement.number, at: registry.now(), types: types?.digest ?? 0, server.flow)
        let content = types?.content(of: statement.content) ?? statement.content
        let name = PreparedStatement.name(statement.number)
        out.append { Parse.encode(name: name, content: content.span.bytes, into: &$0) }
        if let detour { HiddenMessages.run(detour.back, registry, &server, &out) }
        return statement
    }

    /// Sends a Close of a statement.
    mutating func close(
        _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names, _ server: inout ServerState,
        _ out: inout Segments
    ) throws(SessionEnd) -> StatementEffects {
        let effects = try message.passUnknown(names, &server, &out)
        self.names.end(message.bytes(names.statement), by: server.flow.extendedSent, server.flow)
        return effects
    }

    // MARK: Parse

    /// Sends a Parse, or its beginning, which gives a name that the client has not.
    ///
    /// - Returns: what collects the rest of it.
    mutating func parse(
        _ message: borrowing ExtendedMessage, _ name: Range<Int>, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> LongParse? {
        let content = message.bytes(after: name)
        let parsedAt = registry.now()
        let statement: PreparedStatement?
        let number: UInt64
        if message.isPart {
            statement = nil
            number = registry.nextNumber()
        } else {
            let shared = registry.statement(
                content, meaning: book.meaning, effects: StatementEffects(ofContent: content))
            statement = shared
            number = shared.number
        }
        let preparation = server.statements.prepare(
            number, parsedAt: parsedAt, isOwnParse: true, limit: limit, server.flow)
        HiddenMessages.makeRoom(preparation, for: number, &server, counters, &out)
        try message.passParse(name, as: number, &server, &out)
        server.statements.didParse(number, at: parsedAt, server.flow)
        let key = message.bytes(name)
        if let statement {
            names.add(
                key,
                StatementNames.Meaning(statement: statement, parsedAt: parsedAt), server.flow)
            return nil
        }
        names.noteAdded(key, parsedAt: parsedAt, server.flow)
        return LongParse(
            message, name: key.array(), number, parsedAt, content.array(), book.meaning, server.flow,
            registry.memory)
    }

    /// The client has a statement of that name. The server says so, because it has one of the name that it is given; unless the text is
    /// wrong, which it says first.
    mutating func parseAgain(
        _ message: borrowing ExtendedMessage, _ name: Range<Int>, _ server: inout ServerState,
        _ out: inout Segments
    ) throws(SessionEnd) {
        let number = registry.nextNumber()
        let preparation = server.statements.prepare(
            number, parsedAt: 0, isOwnParse: true, limit: limit, server.flow)
        HiddenMessages.makeRoom(preparation, for: number, &server, counters, &out)
        HiddenMessages.parse(number, [], &server, &out)
        // Behind the error it cannot be closed: it goes when its turn comes.
        server.statements.didParse(number, at: 0, server.flow)
        try message.passParse(name, as: number, &server, &out)
        names.noteUse(of: nil, message.bytes(name), server.flow)
    }

    // MARK: Another process

    /// The statements, for another process.
    var records: [StatementRecord] {
        names.all.map { name, meaning in
            StatementRecord(
                name: name, content: meaning.statement.content, meaning: meaning.statement.meaning?.key,
                types: meaning.told.types?.bytes, rows: meaning.told.rows)
        }
    }

    /// The client has prepared this in another process. Copies that servers have from before are older than its wish for one.
    mutating func take(_ record: StatementRecord) {
        let statement = registry.statement(
            record.content.span.bytes, meaning: record.meaning.map { TextMeaning(key: $0) },
            effects: StatementEffects(ofContent: record.content.span.bytes))
        let told = record.told { statement.types($0) }
        names.set(
            record.name.span.bytes,
            to: StatementNames.Meaning(statement: statement, parsedAt: registry.now(), told: told))
    }

    // MARK: What the server says

    /// The server has described one of these.
    mutating func described(_ answer: ServerDescriptions.Answer, _ server: inout ServerState) {
        guard let awaited = descriptions.take(answer.message) else { return }
        let types = answer.types.isEmpty ? 0 : ServerDescriptions.digest(ofTypes: answer.types)
        server.statements.wasDescribed(awaited.meaning, by: answer.message, types: types, rows: answer.rows)
        guard !awaited.isHidden, let entry = names[awaited.name.span.bytes] else { return }
        names.tell(
            entry.told.and(answer, ofContent: entry.statement.content, entry.statement.types), awaited)
    }

    /// The messages with these numbers had no effect. The first of them failed; the others were skipped.
    mutating func failed(_ numbers: ClosedRange<UInt64>) {
        names.failed(numbers)
        descriptions.failed(through: numbers.upperBound)
    }

    /// Nothing is under way: no message can fail any more.
    @inline(__always)
    mutating func settle() {
        names.settle()
        descriptions.settle()
    }

    /// Tables have changed: plans that servers have are of no use any more.
    mutating func expirePlans() { oldest = registry.now() }
}
