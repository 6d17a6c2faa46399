// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// What a client's messages mean for its session, and how they go to the server: under the names that the server knows, and
/// one after the other where one must be over before the next.
struct ClientRequests {
    /// What the client's prepared statements are made of; nil where it keeps its server, which then knows them by their names.
    private let origin: Origin?
    private let counters: Counters
    /// The client's prepared statements; nil until it has any.
    private var statements: ClientStatements?
    private var settingStatements = SettingStatements()
    /// The client's next messages wait until what it has sent is answered.
    var pause = Pause()
    /// Effects of the extended messages since the last Sync.
    private var batch = BatchEffects()
    /// The client has sent something since it got the server that may have advanced a sequence.
    private var hasWritten = false
    /// What goes to another server if this one is lost.
    var retention = Retention()
    /// The query of the client's that is being answered, if it goes by other words.
    private var deallocating: DeallocatingQuery?
    /// The text of a query that comes in pieces, as far as it is read.
    private var longQuery: LongQuery?
    /// The one setting that the query whose ReadyForQuery is kept back takes back, if that is all that it does.
    private(set) var resetSetting: String?
    /// Nothing was executed in the batch whose ReadyForQuery is kept back.
    private(set) var hasOnlyBound = false

    /// - Parameter records: statements that the client has prepared in another process.
    init(_ origin: Origin?, _ counters: Counters, _ records: [StatementRecord] = []) {
        self.origin = origin
        self.counters = counters
        if !records.isEmpty { makeStatements() }
        statements?.take(records)
    }

    /// The client's prepared statements, for another process.
    var records: [StatementRecord] { statements?.records ?? [] }

    /// The channels that the client listens to; nil where it keeps the server that it listens with.
    var channels: ClientChannels? { origin?.channels }

    /// What is a client's own whose servers are pooled, and where its prepared statements come from.
    struct Origin {
        /// Those of all clients of the route.
        let registry: StatementRegistry
        let user: UInt64
        /// How many shared statements a server holds.
        let limit: Int
        var channels: ClientChannels?
    }

    /// Prepared statements are known to the server by names of ours.
    private var maps: Bool { origin != nil }

    private mutating func makeStatements() {
        if statements == nil, let origin {
            statements = ClientStatements(
                origin.registry, user: origin.user, limit: origin.limit, counters)
        }
    }

    // MARK: The server

    /// The client has got a server.
    mutating func begin(_ book: inout SessionBook) {
        book.attached()
        hasWritten = false
        retention.attached()
    }

    /// The server is lost, and with it whatever it has not answered.
    mutating func serverLost(_ server: inout ServerState) {
        let flow = server.flow
        if flow.extendedDone < flow.extendedSent {
            statements?.failed((flow.extendedDone + 1)...flow.extendedSent)
        }
        settleChannels()
        goOn(&server)
        longQuery = nil
        settle()
    }

    /// What the client listens to is settled, or what would have changed that is lost.
    mutating func settleChannels() {
        channels?.abandonTransaction()
        pause.endListening()
    }

    /// What the client's next messages have waited for is answered.
    mutating func goOn(_ server: inout ServerState) {
        pause.end()
        if let rewriting = server.statements.rewriting { deallocating?.settle(rewriting, statements) }
        deallocating = nil
        server.statements.rewriting = nil
    }

    /// The client's server goes back.
    @inline(__always)
    mutating func settle() {
        statements?.settle()
        batch.end()
    }

    /// Takes note of what is rare in replies, and adds what the client is told behind them.
    mutating func heard(
        _ received: ServerState.Received, _ server: inout ServerState, _ told: inout [UInt8]
    ) {
        if server.statements.descriptions.hasAnswers { statements?.described(&server) }
        if let number = received.deallocatedThrough { statements?.removeAll(through: number) }
        // What failed is the last of what was received.
        if let failed = received.failed {
            let isUTF8 = server.reported["client_encoding"] == "UTF8"
            statements?.failed(failed, isUnread: received.hasUnreadText, isUTF8: isUTF8)
        }
        if received.hasStalePlan { statements?.expirePlans() }
        if let error = received.misnamed {
            // The client is told, by other words than the server's.
            retention.end(&server)
            makeStatements()
            if error.code == .invalidStatementName, let name = error.quotedName,
                let number = PreparedStatement.number(ofName: name), server.statements.holds(number)
            {
                // Somebody may have ended it by SQL where nobody could see it.
                server.statements.doubt(number)
            }
            let renamed = statements?.renamed(error, number: received.failed?.lowerBound) ?? error
            renamed.encode(into: &told)
        }
    }

    // MARK: Messages

    /// More of a message that was sent on in part.
    mutating func forwardMore(
        _ range: Range<Int>, isLast: Bool, _ chunk: RawSpan, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) {
        if statements?.forwardMore(range, isLast: isLast, of: chunk) != false { out.append(chunk: range) }
        if longQuery != nil { readMore(range, isLast: isLast, chunk, &server, &book) }
    }

    private mutating func readMore(
        _ range: Range<Int>, isLast: Bool, _ chunk: RawSpan, _ server: inout ServerState,
        _ book: inout SessionBook
    ) {
        longQuery?.add(range, isLast: isLast, of: chunk)
        guard isLast, let query = longQuery else { return }
        longQuery = nil
        let effects = query.effects
        // It is not run behind an error, and in a COPY it is an offence.
        if effects.isEmpty || server.flow.isSkippingToSync || server.flow.awaitsClientData { return }
        taint(effects, &server, &book)
        book.note(effects, ofText: query.text.span.bytes)
        // It is on its way already: nothing can be set in front of it.
        if effects.contains(.listens) { channels?.run(effects, query.text.span.bytes, server) }
        hold(after: effects, &server, book)
    }

    /// Sends one message on, or its beginning. False: more of it is needed first.
    @inline(__always)
    mutating func forward(
        _ byte: UInt8, _ range: Range<Int>, length: Int, _ chunk: RawSpan, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> Bool {
        switch byte {
        case FrontendTag.query.rawValue:
            // It ends the batch, as Sync does.
            if !batch.isEmpty, !server.flow.isSkippingToSync { endBatch(&server, &book) }
            if range.count < length {
                longQuery = LongQuery(chunk.array((range.lowerBound + Framing.headerSize)..<range.upperBound))
                hasWritten = true
            } else {
                // Without even a terminator it is the server's to refuse.
                let start = range.lowerBound + Framing.headerSize
                let text = start..<max(start, range.upperBound - 1)
                let effects = text.isEmpty ? .none : StatementEffects(of: chunk.extracting(text))
                defer { if !text.isEmpty { noteBeginning(text, chunk, &server) } }
                if !effects.isEmpty {
                    switch try forwardQuery(effects, text, chunk, &server, &book, &out) {
                    case .asItIs: break
                    case .sent: return true
                    case .notYet: return false
                    }
                }
            }
            if let statements { statements.querySent(&server) } else { server.statements.endUnnamed() }
        case FrontendTag.parse.rawValue, FrontendTag.bind.rawValue, FrontendTag.describe.rawValue,
            FrontendTag.close.rawValue:
            if let tag = FrontendTag(rawValue: byte), maps {
                makeStatements()
                return try forwardExtended(tag, range, length, chunk, &server, &book, &out)
            }
            let body = chunk.body(ofMessage: range)
            batch.addKept(settingStatements.effects(of: byte, body, in: server.flow.batch, &book))
        case FrontendTag.execute.rawValue:
            batch.noteRun()
            guard statements?.followsPortals == true else { break }
            return try forwardExtended(.execute, range, length, chunk, &server, &book, &out)
        case FrontendTag.functionCall.rawValue:
            if !batch.isEmpty, !server.flow.isSkippingToSync { endBatch(&server, &book) }
            taint(.callsUnknown, &server, &book)
            hasWritten = true
        case FrontendTag.sync.rawValue: if !batch.isEmpty { endBatch(&server, &book) }
        default: break
        }
        do throws(FlowError) { try server.send(byte) } catch { throw .fatal(error.sqlState, "\(error)") }
        out.append(chunk: range)
        return true
    }

    @inline(never)
    private mutating func forwardExtended(
        _ tag: FrontendTag, _ range: Range<Int>, _ length: Int, _ chunk: RawSpan,
        _ server: inout ServerState, _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> Bool {
        if server.hasForeignSequences, !hasWritten, !server.flow.isSkippingToSync, !server.flow.staysFailed,
            let text = statements?.text(of: tag, range, chunk)
        {
            if text.effects.contains(.readsSequences) { discardSequences(&server, &out) }
            if text.mayAddRows { hasWritten = true }
        }
        guard
            let outcome = try statements?.forward(
                tag, range, length: length, of: chunk, &server, &book, &out)
        else { return false }
        switch outcome {
        case .needMore: return false
        case .mustWait:
            pause.begin(server.flow, &out)
            return false
        case .sent(let effects):
            if tag == .bind, retention.isFirst, statements?.bindsOpening == true {
                retention.begin(.opening, &server)
            }
            if effects.isEmpty { return true }
            batch.add(effects, reset: statements?.lastReset)
            if effects.contains(.listens), let text = statements?.lastListening {
                noteListening(effects, text.span.bytes, &server, &out)
            }
            note(effects, &server, &book, &out)
            // A name may be among the values.
            book.note(
                effects.intersection([.settings, .setsLocally]), ofText: chunk.extracting(range))
            return true
        }
    }

    /// What became of a simple query.
    private enum Forwarded {
        /// It can be sent as it is.
        case asItIs
        /// It has been sent, in other words.
        case sent
        /// It waits until what was sent before is answered.
        case notYet
    }

    /// A simple query that ends something or leaves something.
    @inline(never)
    private mutating func forwardQuery(
        _ effects: StatementEffects, _ text: Range<Int>, _ chunk: RawSpan, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> Forwarded {
        // In a COPY it is an offence, and does not wait for the client's own data.
        if server.flow.isSkippingToSync || server.flow.awaitsClientData { return .asItIs }
        if effects.contains(.deallocates), maps, server.flow.awaitsServer {
            // What a statement is called at the server, and whether it may end, shows when what was sent before is answered.
            pause.begin(server.flow, &out)
            return .notYet
        }
        if effects.contains(.readsSequences), server.hasForeignSequences, !hasWritten, waits(server, &out) {
            return .notYet
        }
        if effects.contains(.listens), channels != nil, waits(server, &out) { return .notYet }
        if effects.contains(.listens) { noteListening(effects, chunk.extracting(text), &server, &out) }
        note(effects, &server, &book, &out)
        book.note(effects, ofText: chunk.extracting(text))
        // It may end a batch with a reset in it.
        let isAlone = !pause.isOn
        hold(after: effects, &server, book)
        if effects.contains(.settings) {
            resetSetting =
                isAlone && effects.contains(.resets) ? SettingNames.reset(by: chunk.extracting(text)) : nil
        }
        guard effects.contains(.deallocates), maps, !server.flow.staysFailed else { return .asItIs }
        let deallocations = Deallocations(in: chunk.extracting(text))
        deallocating = DeallocatingQuery(deallocations, statements, server, book)
        guard let query = deallocating?.rewrite(chunk.extracting(text), deallocations, &server, &out) else {
            return .asItIs
        }
        if let statements { statements.querySent(&server) } else { server.statements.endUnnamed() }
        do throws(FlowError) { try server.send(.query) } catch { throw .fatal(error.sqlState, "\(error)") }
        out.append { query.encode(into: &$0) }
        return .sent
    }

    /// Whether a query waits until what was sent before it is answered, because a question of our own comes in front of it: behind other
    /// queries that would fail, if they leave a transaction that has failed, and the client's query with it.
    private mutating func waits(_ server: borrowing ServerState, _ out: inout Segments) -> Bool {
        if !server.flow.awaitsServer || server.flow.outstandingReady == 0 { return false }
        pause.begin(server.flow, &out)
        return true
    }

    /// A statement with these effects is about to run.
    @inline(never)
    private mutating func note(
        _ effects: StatementEffects, _ server: inout ServerState, _ book: inout SessionBook,
        _ out: inout Segments
    ) {
        taint(effects, &server, &book)
        // What another client's nextval left must not be read as this one's.
        if effects.contains(.readsSequences), server.hasForeignSequences, !hasWritten,
            !server.flow.staysFailed
        {
            discardSequences(&server, &out)
        }
        if !effects.isDisjoint(with: [.advancesSequences, .callsUnknown, .runsCode, .addsRowsBehind]) {
            hasWritten = true
        }
    }

    private func noteListening(
        _ effects: StatementEffects, _ text: RawSpan, _ server: inout ServerState, _ out: inout Segments
    ) {
        origin?.channels?.forward(effects, text, origin?.registry, &server, &out)
    }

    private func discardSequences(_ server: inout ServerState, _ out: inout Segments) {
        server.hasForeignSequences = false
        counters.count(.sequenceReset)
        HiddenMessages.runInFront(Array("DISCARD SEQUENCES".utf8), statements?.registry, &server, &out)
    }

    /// What a simple query begins with. Behind the text is its terminator, so that two bytes are there.
    @inline(__always)
    private mutating func noteBeginning(
        _ text: Range<Int>, _ chunk: RawSpan, _ server: inout ServerState
    ) {
        let letters = chunk.unsafeLoadUnaligned(fromByteOffset: text.lowerBound, as: UInt16.self)
        // SELECT, SET.
        if UInt16(bigEndian: letters) | 0x2020 != 0x7365 { noteUnusual(chunk.extracting(text), &server) }
    }

    @inline(never)
    private mutating func noteUnusual(_ text: RawSpan, _ server: inout ServerState) {
        if retention.isFirst, TransactionStart.isAll(of: text) {
            retention.begin(.opening, &server)
        } else if server.hasForeignSequences, !hasWritten, RowWriting.mayBegin(text) {
            hasWritten = true
        }
    }

    private func taint(
        _ effects: StatementEffects, _ server: inout ServerState, _ book: inout SessionBook
    ) {
        book.note(effects)
        if !effects.isDisjoint(with: [.runsCode, .keeps]) {
            server.taint(.everything)
        } else if !effects.isDisjoint(with: [.callsUnknown, .settings]) {
            server.taint(.state)
        }
    }

    /// A Sync behind statements with effects.
    private mutating func endBatch(_ server: inout ServerState, _ book: inout SessionBook) {
        if !maps { book.note(batch.effects) }
        hold(after: batch.effects, &server, book)
        hasOnlyBound = !batch.runs
        if let name = batch.resetAlone { resetSetting = name }
        batch.end()
    }

    /// What comes behind a statement that ends prepared statements, or takes settings back, waits until that is done.
    private mutating func hold(
        after effects: StatementEffects, _ server: inout ServerState, _ book: borrowing SessionBook
    ) {
        if effects.contains(.listens), channels?.isUnsettled == true {
            pause.beginListening()
            server.withholding.begin()
        }
        if book.needsRepair(after: effects) {
            pause.begin()
            resetSetting = nil
            hasOnlyBound = false
            server.withholding.begin()
        } else if effects.contains(.deallocates), maps {
            pause.begin()
        }
    }
}
