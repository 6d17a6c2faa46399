// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// The prepared statements of one client whose servers change: what its names mean, and how that is said to the server of the moment.
///
/// The client's own Parse always goes to the server, so that it fails where it would fail directly, and so that a plan is never older
/// than the client's wish for it.
final class ClientStatements {
    let registry: StatementRegistry
    private let user: UInt64
    private let counters: Counters
    @exclusivity(unchecked) private var named: NamedStatements
    @exclusivity(unchecked) private var unnamed = UnnamedStatement()
    @exclusivity(unchecked) private var portals = DeallocatingPortals()
    private var long: LongParse?
    @exclusivity(unchecked) private var refused = RefusedMessages()
    /// The setting that the statement of the last Bind takes back, if that is all that it does.
    private(set) var lastReset: String?
    /// The statement that ran last of those that change what is listened to.
    private(set) var lastListening: [UInt8]?
    /// That statement opens a transaction, and does nothing else.
    private(set) var bindsOpening = false

    init(_ registry: StatementRegistry, user: UInt64, limit: Int, _ counters: Counters) {
        self.registry = registry
        named = NamedStatements(registry, limit: limit, counters)
        self.user = user
        self.counters = counters
    }

    deinit { registry.memory.giveBack(named.names.size) }

    /// Longer names, of statements and portals together, are refused: PostgreSQL looks at the first 63 bytes only.
    private static var longestNames: Int { 1_024 }

    // MARK: From the client

    /// Sends an extended message on, or its beginning, with the names that the server knows, and in front of it what the server
    /// lacks.
    ///
    /// - Parameters:
    ///   - range: of the message in the chunk, as far as it has come.
    ///   - length: of the whole message.
    ///   - book: the client's settings.
    func forward(
        _ tag: FrontendTag, _ range: Range<Int>, length: Int, of chunk: RawSpan, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> ExtendedMessage.Outcome {
        let message = ExtendedMessage(tag, range, length: length, chunk)
        // What the server discards anyway, and what is no such message, is the server's to deal with.
        if server.flow.isSkippingToSync || server.flow.awaitsClientData {
            return .sent(try message.pass(&server, &out))
        }
        if !portals.isEmpty, server.flow.isFree { portals.removeAll() }
        switch tag {
        case .bind, .describe, .close:
            let names: ExtendedMessage.Names?
            do throws(WireError) { names = try message.names() } catch {
                if message.isPart, range.count < Self.longestNames { return .needMore }
                names = nil
            }
            guard let names else { return .sent(try message.pass(&server, &out)) }
            if names.isPortal { return .sent(try message.pass(&server, &out)) }
            if isOpen(names.statement.isEmpty ? nil : message.bytes(names.statement), &server) {
                return .mustWait
            }
            if tag == .bind { counters.count(.bind) }
            if names.statement.isEmpty {
                return tag == .close
                    ? try closeUnnamed(message, &server, &out)
                    : try useUnnamed(message, names, &server, &book, &out)
            }
            return tag == .close
                ? .sent(try named.close(message, names, &server, &out))
                : try use(message, names, &server, &book, &out)
        case .parse:
            let name: Range<Int>
            do throws(WireError) { name = try message.firstName() } catch {
                if message.isPart, range.count < Self.longestNames { return .needMore }
                return .sent(try message.pass(&server, &out))
            }
            if !name.isEmpty, isOpen(message.bytes(name), &server) { return .mustWait }
            counters.count(.clientParse)
            return try parse(message, name, &server, &book, &out)
        case .execute:
            let portal: Range<Int>
            do throws(WireError) { portal = try message.firstName() } catch {
                if message.isPart, range.count < Self.longestNames { return .needMore }
                return .sent(try message.pass(&server, &out))
            }
            let effects = try message.pass(&server, &out)
            portals.ran(message.bytes(portal), &named.names, &server)
            return .sent(effects)
        default: return .sent(try message.pass(&server, &out))
        }
    }

    /// Whether it shows only when an earlier batch is answered what a name means. Nil for the unnamed statement.
    private func isOpen(_ name: RawSpan?, _ server: inout ServerState) -> Bool {
        guard let name else {
            return unnamed.isOpen(server.flow) || server.statements.isUnnamedOpen(server.flow)
        }
        if named.names.isOpen(name, server.flow) || portals.isOpen(server.flow) { return true }
        guard server.flow.awaitsServer, let entry = named.names[name] else { return false }
        return server.statements.isOpen(entry.statement.number, server.flow)
    }

    /// More of a message that was too long to be kept.
    ///
    /// - Returns: whether it goes to the server.
    func forwardMore(_ range: Range<Int>, isLast: Bool, of chunk: RawSpan) -> Bool {
        if refused.dropsRest {
            if isLast { refused.endRest() }
            return false
        }
        guard long != nil else { return true }
        long?.append(chunk.extracting(range))
        if !isLast { return true }
        long?.finish(&named.names, &unnamed)
        long = nil
        return true
    }

    // MARK: Named statements

    private func use(
        _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> ExtendedMessage.Outcome {
        guard let entry = named.names[message.bytes(names.statement)] else {
            return .sent(try message.passUnknown(names, &server, &out))
        }
        if message.tag == .bind, entry.statement.effects.contains(.deallocates),
            let outcome = try bindDeallocation(entry.statement.content, message, names, &server, &out)
        {
            return outcome
        }
        switch try named.use(entry, message, names, &server, &book, &out) {
        case .mustWait: return .mustWait
        case .isStale: return try refuse(message, ClientDescriptions.staleRows, &server, &out)
        case .sent(let statement):
            if message.tag != .bind { return .sent(.none) }
            notePortal(message.portal(names), statement.effects)
            noteText(statement.effects, statement.content, &book)
            noteOpening(statement.content)
            return .sent(statement.effects)
        }
    }

    /// The client binds a statement that ends others.
    ///
    /// - Returns: nil if it ends all, or one that is none of the client's: then it is bound as it is.
    private func bindDeallocation(
        _ content: [UInt8], _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names,
        _ server: inout ServerState, _ out: inout Segments
    ) throws(SessionEnd) -> ExtendedMessage.Outcome? {
        let text = Array(content.prefix { $0 != 0 })
        guard let wish = Deallocation(text.span.bytes) else { return nil }
        if isOpen(wish.name.span.bytes, &server) { return .mustWait }
        guard let target = number(of: wish.name) else { return nil }
        try HiddenMessages.bindDeallocation(
            wish, in: text, of: target, as: registry.nextNumber(), message, names, &named.names, &server, &out
        )
        portals.bound(message.portal(names), isDeallocating: true, target: (wish.name, target))
        return .sent(.letsGo)
    }

    private func notePortal(_ portal: RawSpan, _ effects: StatementEffects) {
        let isDeallocating = effects.contains(.deallocates)
        if isDeallocating || !portals.isEmpty { portals.bound(portal, isDeallocating: isDeallocating) }
    }

    private func parse(
        _ message: borrowing ExtendedMessage, _ name: Range<Int>, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> ExtendedMessage.Outcome {
        let content = message.bytes(after: name)
        if name.isEmpty { return try parseUnnamed(message, content, &server, &book, &out) }
        let key = message.bytes(name)
        if named.names[key] != nil {
            try named.parseAgain(message, name, &server, &out)
        } else if registry.memory.hasRoom(forStatementOf: message.length, named: name.count) {
            long = try named.parse(message, name, &server, &book, &out)
        } else {
            counters.count(.refusal)
            return try refuse(message, registry.memory.refusal, &server, &out)
        }
        return .sent(.none)
    }

    private func refuse(
        _ message: borrowing ExtendedMessage, _ error: ErrorFields, _ server: inout ServerState,
        _ out: inout Segments
    ) throws(SessionEnd) -> ExtendedMessage.Outcome {
        try refused.refuse(registry.nextNumber(), with: error, isPart: message.isPart, &server, &out)
        return .sent(.none)
    }

    /// A statement with this text runs.
    private func noteText(
        _ effects: StatementEffects, _ content: [UInt8], _ book: inout SessionBook
    ) {
        if !effects.concernBooks { return }
        let bytes = Array(content.prefix { $0 != 0 })
        book.note(effects, ofText: bytes.span.bytes)
        if effects.contains(.listens) { lastListening = bytes }
        if !effects.contains(.settings) { return }
        lastReset = effects.contains(.resets) ? SettingNames.reset(by: bytes.span.bytes) : nil
    }

    // MARK: The unnamed statement

    private func parseUnnamed(
        _ message: borrowing ExtendedMessage, _ content: RawSpan, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> ExtendedMessage.Outcome {
        if message.length > UnnamedStatement.keptCapacity, !registry.memory.hasRoom(for: message.length) {
            counters.count(.refusal)
            return try refuse(message, registry.memory.refusal, &server, &out)
        }
        _ = try message.pass(&server, &out)
        unnamed.replace(server.flow)
        server.statements.setUnnamed(.of(user: user, version: unnamed.version), server.flow)
        if message.isPart {
            long = LongParse(
                message, name: [], 0, 0, content.array(), book.meaning, server.flow, registry.memory)
        } else {
            unnamed.set(
                content, effects: StatementEffects(ofContent: content), book.meaning, registry.memory)
        }
        return .sent(.none)
    }

    private func useUnnamed(
        _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names, _ server: inout ServerState,
        _ book: inout SessionBook, _ out: inout Segments
    ) throws(SessionEnd) -> ExtendedMessage.Outcome {
        if message.tag == .bind, unnamed.effects.contains(.deallocates),
            let outcome = try bindDeallocation(unnamed.content, message, names, &server, &out)
        {
            return outcome
        }
        provideUnnamed(&server, book, &out)
        if message.tag == .bind, !unnamed.isKept(server), !message.isDescribedNext(names) {
            switch unnamed.judge(server) {
            case .mayRun: break
            case .refuse: return try refuse(message, ClientDescriptions.staleRows, &server, &out)
            case .parseAndAsk:
                server.statements.endUnnamed(.unknown)
                provideUnnamed(&server, book, &out)
                fallthrough
            case .ask:
                unnamed.ask(&server, &out)
                return .mustWait
            }
        }
        _ = try message.pass(&server, &out)
        if message.tag != .bind {
            unnamed.expectDescription(&server)
            return .sent(.none)
        }
        notePortal(message.portal(names), unnamed.effects)
        noteText(unnamed.effects, unnamed.content, &book)
        noteOpening(unnamed.content)
        return .sent(unnamed.effects)
    }

    @inline(__always)
    private func noteOpening(_ content: [UInt8]) {
        let first = content.isEmpty ? 0 : content[0] | 0x20
        bindsOpening =
            (first == UInt8(ascii: "b")
                || first == UInt8(ascii: "s") && content[1] | 0x20 == UInt8(ascii: "t"))
            && Self.isOpening(content)
    }

    @inline(never)
    private static func isOpening(_ content: [UInt8]) -> Bool {
        let end = content.firstIndex(of: 0) ?? content.count
        return TransactionStart.isAll(of: content.span.bytes.extracting(0..<end))
    }

    private func provideUnnamed(
        _ server: inout ServerState, _ book: borrowing SessionBook, _ out: inout Segments
    ) {
        if unnamed.provide(user, registry, &server, book, &out) { counters.count(.poolerParse) }
    }

    private func closeUnnamed(
        _ message: borrowing ExtendedMessage, _ server: inout ServerState, _ out: inout Segments
    ) throws(SessionEnd) -> ExtendedMessage.Outcome {
        _ = try message.pass(&server, &out)
        server.statements.setUnnamed(.none, server.flow)
        unnamed.replace(server.flow)
        return .sent(.none)
    }

    /// A simple query is sent, which ends the unnamed statement.
    @inline(__always)
    func querySent(_ server: inout ServerState) {
        if unnamed.endByQuery(server.flow) { server.statements.endUnnamed() }
    }

    // MARK: What the server says

    /// The messages with these numbers had no effect. The first of them failed; the others were skipped.
    ///
    /// - Parameters:
    ///   - isUnread: by its error the server could not read the text of that one.
    ///   - isUTF8: texts are in UTF-8.
    func failed(_ numbers: ClosedRange<UInt64>, isUnread: Bool = false, isUTF8: Bool = false) {
        unnamed.failed(numbers, isUnread: isUnread, isUTF8: isUTF8)
        named.failed(numbers)
        // What is still to come of it makes no statement.
        if let sentAs = long?.sentAs, numbers.contains(sentAs) { long = nil }
    }

    /// The server has answered Describe messages that somebody waits for.
    @inline(never)
    func described(_ server: inout ServerState) {
        for answer in server.statements.descriptions.take() {
            named.described(answer, &server)
            unnamed.described(answer, &server, registry.memory)
        }
    }

    /// `DEALLOCATE ALL` or `DISCARD ALL`.
    func removeAll(through number: UInt64) { named.names.removeAll(through: number) }

    /// Nothing is under way: no message can fail any more.
    @inline(__always)
    func settle() {
        unnamed.settle()
        named.settle()
        portals.settle()
        refused.settle()
    }

    /// Tables have changed: plans that servers have are of no use any more.
    func expirePlans() { named.expirePlans() }

    /// An error about a statement, with the client's name for it.
    ///
    /// - Parameter message: the number of the one that failed.
    func renamed(_ error: ErrorFields, number message: UInt64?) -> ErrorFields {
        refused.refusal(behind: error) ?? named.names.renamed(error, in: message)
    }

    // MARK: Commands of our own

    /// What a Bind is about to run; see ``ExtendedMessage/text(_:_:)``.
    func text(of tag: FrontendTag, _ range: Range<Int>, _ chunk: RawSpan) -> (
        effects: StatementEffects, mayAddRows: Bool
    )? {
        ExtendedMessage(tag, range, length: range.count, chunk).text(&named.names, &unnamed)
    }

    // MARK: Another process

    /// The client's statements, for another process; nothing is under way.
    var records: [StatementRecord] { named.records + (unnamed.record.map { [$0] } ?? []) }

    /// The client has prepared these in another process.
    func take(_ records: [StatementRecord]) {
        for record in records {
            if record.name.isEmpty { unnamed.take(record, registry.memory) } else { named.take(record) }
        }
    }

    // MARK: DEALLOCATE

    /// The number of a statement that the client has prepared by Parse.
    func number(of name: [UInt8]) -> UInt64? { named.names[name.span.bytes]?.statement.number }

    /// A portal may end statements when it runs, so every Execute goes through ``forward(_:_:length:of:_:_:_:)``.
    var followsPortals: Bool { !portals.isEmpty }

    /// The client ends a statement by a simple query.
    func deallocate(_ name: [UInt8]) { named.names.set(name.span.bytes, to: nil) }
}
