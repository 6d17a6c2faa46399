// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// One query of the client API, from the first byte sent to ReadyForQuery. It runs on the connection's thread.
struct QueryExchange: ~Copyable {
    private let connection: PostgresConnection
    private let request: QueryRequest
    private let options: QueryOptions
    private let conversation: Conversation
    private var assembler: ResultAssembler

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

    /// Runs a request on a connection that must have nothing else to do.
    static func run(
        _ request: QueryRequest, on connection: PostgresConnection, keeping: ResultAssembler.Keeping,
        options: QueryOptions
    ) async throws(PostgresError) -> [PostgresResult] {
        try connection.checkIsReady()
        if Task.isCancelled {
            throw PostgresError(.cancelled, "the task was cancelled before its query was sent")
        }
        var exchange = QueryExchange(connection, request, keeping: keeping, options: options)
        defer { exchange.conversation.end() }
        do throws(PostgresError) {
            try await exchange.perform()
        } catch {
            throw await exchange.settle(error)
        }
        return try exchange.outcome()
    }

    // MARK: To the server and back

    private mutating func perform() async throws(PostgresError) {
        try note(request.tags)
        try await conversation.send(request.bytes)
        var hasRefusedCopy = false
        while true {
            try takeMessages()
            if assembler.hasOverflowed || assembler.copy == .toClient {
                try await giveUpRest()
                break
            }
            if assembler.copy == .fromClient, !hasRefusedCopy {
                hasRefusedCopy = true
                try await refuseCopy()
            }
            if connection.state.flow.isSynchronized || connection.state.flow.needsProbe { break }
            try await conversation.fill()
        }
        if connection.state.flow.needsProbe { try await conversation.execute("", in: connection) }
    }

    private func note(_ tags: [FrontendTag]) throws(PostgresError) {
        do throws(FlowError) {
            for tag in tags { try connection.state.send(tag) }
        } catch {
            throw PostgresError(.protocolViolation, "\(error)")
        }
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
        try note([.copyFail])
        if request.tags.last == .sync {
            // The Sync that was sent with the request has been swallowed as a part of the data.
            FrontendTag.sync.encodeEmpty(into: &bytes)
            try note([.sync])
        }
        try await conversation.send(bytes)
    }

    /// Cancels what still runs and throws its answer away as it comes.
    private func giveUpRest() async throws(PostgresError) {
        await cancel()
        try await conversation.drain(connection)
    }

    /// How long a cancel may take: it is a round trip to a server that answered a moment ago.
    private static var cancelLimit: Duration { .seconds(2) }

    /// Cancels the query on the server, also for a task that is cancelled itself.
    private func cancel() async {
        let connection = connection
        let isCertain = await Task(executorPreference: connection.transport.reactor) {
            await connection.requestCancel(
                on: connection.transport.reactor, deadline: .now + Self.cancelLimit)
        }.value
        if !isCertain {
            connection.state.fail(
                PostgresError(.cancelled, "a cancel request may still be under way to the server"))
        }
    }

    /// What becomes of the connection after an error of the conversation, and which error to report.
    private func settle(_ error: PostgresError) async -> PostgresError {
        switch error.code {
        case .cancelled:
            // What the rest of the query does to the session is nobody's to see.
            connection.resetWhenReturned()
            await cancel()
            return PostgresError(.cancelled, "the query was cancelled because its task was")
        case .timedOut:
            connection.resetWhenReturned()
            await cancel()
            let limit = options.timeout.map { "\($0)" } ?? "its limit"
            return PostgresError(.timedOut, "the query took longer than \(limit) and was cancelled")
        case .connection, .encryption, .resources, .protocolViolation, .authentication, .server, .busy,
            .invalidRequest,
            .tooLarge,
            .decoding:
            // A server that ends a session says why, and then hangs up.
            let cause = assembler.error.map { PostgresError($0) } ?? error
            connection.state.fail(cause)
            return cause
        }
    }

    private func outcome() throws(PostgresError) -> [PostgresResult] {
        connection.noteSessionChanges()
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
