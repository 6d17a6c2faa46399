// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// One query of the client API, from the first byte sent to ReadyForQuery. It runs on the connection's thread.
///
/// Its answer is taken in as a whole (``run(_:on:keeping:_:)``), or piece by piece: ``begin(_:on:options:)``, ``nextRows()``
/// until that is nil, ``leave()`` in any case.
struct QueryExchange: ~Copyable {
    private let connection: PostgresConnection
    private let request: QueryRequest
    private let options: QueryOptions
    private let conversation: Conversation
    private var assembler: ResultAssembler
    private var use: StatementCache.Use?
    private var hasRefusedCopy = false
    private var isLeaving = false
    private var isOver = false

    private init(
        _ connection: PostgresConnection, _ request: QueryRequest, keeping: ResultAssembler.Keeping,
        options: QueryOptions
    ) {
        self.connection = connection
        self.request = request
        self.options = options
        let deadline = Deadline.after(options.timeout)
        conversation = Conversation(connection.transport, connection.session, deadline: deadline)
        assembler = ResultAssembler(keeping: keeping, maximumBytes: options.maximumBytes)
    }

    /// The result of the last statement of a request.
    static func result(
        of request: QueryRequest, on connection: PostgresConnection, _ options: QueryOptions
    ) async throws(PostgresError) -> PostgresResult {
        guard let result = try await run(request, on: connection, keeping: .last, options).last else {
            throw PostgresError(
                .protocolViolation, "the server answered a query with neither a result nor an error")
        }
        return result
    }

    /// Runs a request on a connection that must have nothing else to do. From any thread.
    static func run(
        _ request: QueryRequest, on connection: PostgresConnection, keeping: ResultAssembler.Keeping,
        _ options: QueryOptions
    ) async throws(PostgresError) -> [PostgresResult] {
        let span = QuerySpan(request.sql, on: connection)
        do throws(PostgresError) {
            let results = try await withTaskExecutorPreference(connection.transport.reactor) {
                () async throws(PostgresError) -> [PostgresResult] in
                try await runHere(request, on: connection, keeping: keeping, options: options)
            }
            span.end()
            return results
        } catch {
            span.end(with: error)
            throw error
        }
    }

    private static func runHere(
        _ request: QueryRequest, on connection: PostgresConnection, keeping: ResultAssembler.Keeping,
        options: QueryOptions
    ) async throws(PostgresError) -> [PostgresResult] {
        var isFirst = true
        while true {
            var exchange = try ready(request, on: connection, keeping: keeping, options: options)
            defer { exchange.conversation.end() }
            do throws(PostgresError) {
                try await exchange.send()
                _ = try await exchange.advance()
            } catch {
                exchange.noteStatement()
                throw await exchange.settle(error)
            }
            if exchange.noteStatement(), isFirst {
                isFirst = false
                continue
            }
            return try exchange.outcome()
        }
    }

    /// Notes what the answer says about the statement that was used.
    ///
    /// - Returns: whether the session has lost it, or has an outdated plan of it, and nothing has been done: outside a transaction
    ///   it can be sent again.
    @discardableResult
    private func noteStatement() -> Bool {
        guard let use else { return false }
        let error = assembler.error
        let isStale =
            error.map { $0.code == .invalidStatementName || $0.isAboutStalePlan } ?? false
            && !assembler.hasBound
        if isStale || use.mustParse && !assembler.hasParsed {
            connection.state.statements.client.forget(use.name)
        }
        return isStale && connection.state.flow.isFree
    }

    private static func ready(
        _ request: QueryRequest, on connection: PostgresConnection, keeping: ResultAssembler.Keeping,
        options: QueryOptions
    ) throws(PostgresError) -> QueryExchange {
        try Exchange.checkIsReady(connection)
        return QueryExchange(connection, request, keeping: keeping, options: options)
    }

    // MARK: Piece by piece

    /// How many rows the server sends before it waits to be asked for more.
    static var window: UInt32 { 1024 }

    /// Sends a request whose rows are to be taken one after the other.
    static func begin(_ request: QueryRequest, on connection: PostgresConnection, options: QueryOptions)
        async throws(PostgresError) -> QueryExchange
    {
        var exchange = try ready(request, on: connection, keeping: .untilTaken, options: options)
        do throws(PostgresError) {
            try await exchange.send()
        } catch {
            let cause = await exchange.settle(error)
            exchange.conversation.end()
            throw cause
        }
        return exchange
    }

    /// The next rows, at least one; nil behind the last.
    mutating func nextRows() async throws(PostgresError) -> ResultContents? {
        if isOver { return nil }
        do throws(PostgresError) {
            if let rows = try await advance() { return rows }
        } catch {
            isOver = true
            throw await settle(error)
        }
        isOver = true
        _ = try outcome()
        return nil
    }

    /// How long the rest of the rows that were asked for may take before the query is cancelled, which fails its transaction.
    private static var patience: Duration { .seconds(1) }

    /// Ends the exchange, wherever it is. The connection can go on afterwards, unless the task is cancelled.
    mutating func leave() async {
        defer { conversation.end() }
        if isOver { return }
        isOver = true
        isLeaving = true
        assembler.dropRows()
        do throws(PostgresError) {
            if connection.state.flow.hasUnsyncedMessages, !connection.state.flow.awaitsClientData {
                try await say([.close, .sync]) {
                    NamedObject(.portal, name: "").encodeClose(into: &$0)
                    FrontendTag.sync.encodeEmpty(into: &$0)
                }
            }
            do throws(PostgresError) {
                conversation.pause(at: .now + Self.patience)
                _ = try await advance()
            } catch {
                guard error.code == .timedOut, Deadline.now < conversation.deadline else { throw error }
                conversation.pause(at: .never)
                await Exchange.cancel(connection)
                _ = try await advance()
            }
        } catch {
            _ = await settle(error)
        }
        // What is wrong with a statement that nobody waits for any more is nobody's to hear.
        _ = try? outcome()
    }

    // MARK: To the server and back

    private mutating func send() async throws(PostgresError) {
        use = request.use(&connection.state.statements.client, limit: connection.statementCacheSize)
        let messages = request.messages(use)
        try Exchange.note(messages.tags, on: connection)
        try await conversation.send(messages.bytes)
    }

    private func say(_ tags: [FrontendTag], _ encode: (inout [UInt8]) -> Void) async throws(PostgresError) {
        var bytes: [UInt8] = []
        encode(&bytes)
        try Exchange.note(tags, on: connection)
        try await conversation.send(bytes)
    }

    /// Goes on until there are rows to be taken, or the exchange is over: then there are none.
    private mutating func advance() async throws(PostgresError) -> ResultContents? {
        while true {
            try takeMessages()
            if assembler.hasOverflowed || assembler.copy == .toClient {
                try await giveUpRest()
                break
            }
            if let rows = assembler.takeRows() { return rows }
            if assembler.copy == .fromClient, !hasRefusedCopy {
                hasRefusedCopy = true
                try await refuseCopy()
            }
            if assembler.isSuspended, !isLeaving {
                assembler.resume()
                try await say([.execute, .flush]) {
                    Execute(limit: Self.window).encode(into: &$0)
                    FrontendTag.flush.encodeEmpty(into: &$0)
                }
            } else if mustSync {
                try await say([.sync]) { FrontendTag.sync.encodeEmpty(into: &$0) }
            }
            if connection.state.flow.isSynchronized || connection.state.flow.needsProbe { break }
            try await conversation.fill()
        }
        if connection.state.flow.needsProbe { try await conversation.execute("", in: connection) }
        return nil
    }

    /// All that was asked for is answered, and the batch is still open.
    private var mustSync: Bool {
        let flow = connection.state.flow
        return flow.isSkippingToSync || flow.hasUnsyncedMessages && !flow.awaitsServer
    }

    /// Takes in every message that is here as a whole.
    private mutating func takeMessages() throws(PostgresError) {
        var input: [UInt8] = []
        swap(&input, &connection.state.unread)
        var position = 0
        defer {
            input.removeFirst(position)
            swap(&input, &connection.state.unread)
        }
        while !assembler.hasOverflowed {
            switch Framing.next(in: input.span.bytes, at: position) {
            case .needMore: return
            case .invalid(let error):
                throw PostgresError(.protocolViolation, "server \(connection.transport.peer): \(error)")
            case .frame(let header):
                let tag = BackendTag(rawValue: header.tag)
                if assembler.exceeds(tag, length: header.length) { return assembler.overflow() }
                guard input.count - position >= header.length else { return }
                let range = (position + Framing.headerSize)..<(position + header.length)
                position += header.length
                try take(header.tag, input.span.bytes.extracting(range))
            }
        }
    }

    private mutating func take(_ tag: UInt8, _ body: RawSpan) throws(PostgresError) {
        let known = try connection.state.receive(tag, body)
        // The rest is no use to anybody who does not listen.
        if known == .noticeResponse || known == .notificationResponse {
            try Exchange.heard(known, body, on: connection)
        }
        do throws(WireError) {
            try assembler.take(known, body)
        } catch {
            throw PostgresError(.protocolViolation, "server \(connection.transport.peer), \(known): \(error)")
        }
    }

    // MARK: Ends that are not the usual one

    private func refuseCopy() async throws(PostgresError) {
        var bytes: [UInt8] = []
        CopyFail(reason: "the client has no data for COPY").encode(into: &bytes)
        try Exchange.note([.copyFail], on: connection)
        if request.isSynced {
            // The Sync that was sent with the request has been swallowed as a part of the data.
            FrontendTag.sync.encodeEmpty(into: &bytes)
            try Exchange.note([.sync], on: connection)
        }
        try await conversation.send(bytes)
    }

    /// Cancels what still runs and throws its answer away as it comes.
    private func giveUpRest() async throws(PostgresError) {
        if connection.state.flow.hasUnsyncedMessages {
            try await say([.sync]) { FrontendTag.sync.encodeEmpty(into: &$0) }
        }
        await Exchange.cancel(connection)
        try await conversation.drain(connection)
    }

    private func settle(_ error: PostgresError) async -> PostgresError {
        await Exchange.settle(error, on: connection, options: options, said: assembler.error)
    }

    private func outcome() throws(PostgresError) -> [PostgresResult] {
        Exchange.noteSessionChanges(connection)
        if assembler.hasOverflowed {
            throw PostgresError(
                .tooLarge, "the result is larger than the \(options.maximumBytes) bytes allowed for it")
        }
        if assembler.copy != nil {
            throw PostgresError(.invalidRequest, "COPY from or to the client is not possible as a query")
        }
        if let fields = assembler.error {
            let error = PostgresError(fields)
            if fields.isFatal { connection.state.fail(error) }
            throw error
        }
        return assembler.results
    }
}
