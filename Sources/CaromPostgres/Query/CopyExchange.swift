// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// One COPY of the client API, from the first byte sent to ReadyForQuery. It runs on the connection's thread.
struct CopyExchange: ~Copyable {
    enum Direction: Equatable {
        /// `FROM STDIN`
        case fromClient
        /// `TO STDOUT`
        case toClient
    }

    private let connection: PostgresConnection
    private let conversation: Conversation
    private let options: QueryOptions
    private let wanted: Direction
    /// The COPY that the statement turned out to be.
    private var found: Direction?
    private var error: ErrorFields?
    /// How many rows were copied, once that is known.
    private(set) var rows: Int?
    private var isComplete = false
    private(set) var isOver = false

    private init(_ connection: PostgresConnection, _ wanted: Direction, _ options: QueryOptions) {
        self.connection = connection
        self.options = options
        self.wanted = wanted
        let deadline = Deadline.after(options.timeout)
        conversation = Conversation(connection.transport, connection.session, deadline: deadline)
    }

    /// Sends a statement and waits until its data can flow.
    static func begin(
        _ request: QueryRequest, _ direction: Direction, on connection: PostgresConnection,
        options: QueryOptions
    ) async throws(PostgresError) -> CopyExchange {
        try Exchange.checkIsReady(connection)
        var exchange = CopyExchange(connection, direction, options)
        do throws(PostgresError) {
            let messages = request.messages(nil)
            try await exchange.say(messages.tags, messages.bytes)
            while exchange.found == nil, !exchange.isDone { try await exchange.step() }
        } catch {
            throw await exchange.fail(error)
        }
        if exchange.found != direction {
            let refusal = exchange.error
            await exchange.leave()
            let words = direction == .fromClient ? "COPY … FROM STDIN" : "COPY … TO STDOUT"
            throw refusal.map { PostgresError($0) }
                ?? PostgresError(.invalidRequest, "the statement is no \(words)")
        }
        return exchange
    }

    /// Nothing more comes but ReadyForQuery.
    private var isDone: Bool { isComplete || error != nil }

    // MARK: Data

    /// The data that has come, waiting for some; nil behind the last.
    mutating func read() async throws(PostgresError) -> [UInt8]? {
        if isOver { return nil }
        do throws(PostgresError) {
            var data: [UInt8] = []
            while true {
                try takeMessages(into: &data)
                // What is here already goes along: a piece costs its reader a change of threads.
                if data.count < Self.largestPiece, !isDone, try conversation.poll() { continue }
                if !data.isEmpty { return data }
                if isDone { break }
                try await conversation.fill()
            }
        } catch {
            throw await fail(error)
        }
        try await finish()
        return nil
    }

    /// A piece that is as large as this, or larger, is handed on.
    private static var largestPiece: Int { 1 << 18 }

    /// Sends data, at the server's pace.
    mutating func write(_ data: [UInt8]) async throws(PostgresError) {
        guard data.count < Framing.messageLimit - 1 << 20 else {
            throw PostgresError(
                .invalidRequest, "a piece of \(data.count) bytes; PostgreSQL takes less than 1 GiB")
        }
        // A server that has refused something takes no more of it, and `finish` says why.
        if isDone { return }
        do throws(PostgresError) {
            try Exchange.note([.copyData], on: connection)
            var bytes: [UInt8] = []
            CopyData.encode(data, into: &bytes)
            connection.output.append(bytes)
            try conversation.flush()
            try listen()
            while !connection.output.isEmpty {
                // It may have something to say, and take nothing before somebody has heard it.
                try await conversation.pauseForServer("to take what it was sent")
                try conversation.flush()
                try listen()
            }
        } catch {
            throw await fail(error)
        }
    }

    /// Takes in what the server has said, without waiting.
    private mutating func listen() throws(PostgresError) {
        while try conversation.poll() {
            var data: [UInt8] = []
            try takeMessages(into: &data)
        }
    }

    // MARK: Ends

    /// Ends the data and waits for the server's word.
    mutating func finish() async throws(PostgresError) {
        if isOver { return }
        do throws(PostgresError) {
            if found == .fromClient, !isDone {
                // Without the Sync the server would keep its answer to itself.
                try await say(.copyDone)
                try await say(.sync)
            }
            try await synchronize()
        } catch {
            throw await fail(error)
        }
        end()
        if let error { throw PostgresError(error) }
    }

    /// Gives the COPY up: what was sent is not kept. The connection can go on afterwards, unless the task is cancelled.
    mutating func leave() async {
        if isOver { return }
        do throws(PostgresError) {
            if found == .fromClient, !isDone {
                var bytes: [UInt8] = []
                CopyFail(reason: "the client gave it up").encode(into: &bytes)
                try await say([.copyFail], bytes)
            }
            if found == .toClient, !isDone {
                try await say(.sync)
                await Exchange.cancel(connection)
                try await conversation.drain(connection)
            }
            try await synchronize()
        } catch {
            _ = await fail(error)
        }
        end()
    }

    /// Waits until the server owes nothing.
    private mutating func synchronize() async throws(PostgresError) {
        while !connection.state.flow.isSynchronized {
            if connection.state.flow.isSkippingToSync
                || connection.state.flow.hasUnsyncedMessages && !connection.state.flow.awaitsServer
            {
                try await say(.sync)
            }
            try await step()
        }
    }

    private mutating func end() {
        if isOver { return }
        isOver = true
        conversation.end()
        Exchange.noteSessionChanges(connection)
    }

    private mutating func fail(_ cause: PostgresError) async -> PostgresError {
        let cause = await Exchange.settle(cause, on: connection, options: options, said: error)
        end()
        return cause
    }

    // MARK: Messages

    /// Waits for one message that is no data.
    private mutating func step() async throws(PostgresError) {
        let message = try await conversation.receive(limit: options.maximumBytes)
        try take(message.tag, message.body.span.bytes)
    }

    /// Takes in every message that is here as a whole, up to the end of the COPY, in one walk over the bytes.
    private mutating func takeMessages(into data: inout [UInt8]) throws(PostgresError) {
        var input: [UInt8] = []
        swap(&input, &connection.state.unread)
        var position = 0
        defer {
            input.removeFirst(position)
            swap(&input, &connection.state.unread)
        }
        while !isDone {
            switch Framing.next(in: input.span.bytes, at: position, limit: options.maximumBytes) {
            case .needMore: return
            case .invalid(let error):
                throw PostgresError(.protocolViolation, "server \(connection.transport.peer): \(error)")
            case .frame(let header):
                guard input.count - position >= header.length else { return }
                let body = (position + Framing.headerSize)..<(position + header.length)
                position += header.length
                if try take(header.tag, input.span.bytes.extracting(body)) == .copyData {
                    data.append(contentsOf: input[body])
                }
            }
        }
    }

    @discardableResult
    private mutating func take(_ tag: UInt8, _ body: RawSpan) throws(PostgresError) -> BackendTag {
        let tag = try connection.state.receive(tag, body)
        switch tag {
        case .copyData: break
        case .copyInResponse: found = .fromClient
        case .copyOutResponse, .copyBothResponse: found = .toClient
        case .errorResponse: if error == nil { error = ErrorFields(body: body) }
        case .commandComplete, .emptyQueryResponse:
            isComplete = true
            rows = tag == .commandComplete ? (try? CommandComplete(body: body))?.rows : nil
        default: break
        }
        if tag != .copyData { try Exchange.heard(tag, body, on: connection) }
        return tag
    }

    private func say(_ tag: FrontendTag) async throws(PostgresError) {
        var bytes: [UInt8] = []
        tag.encodeEmpty(into: &bytes)
        try await say([tag], bytes)
    }

    private func say(_ tags: [FrontendTag], _ bytes: [UInt8]) async throws(PostgresError) {
        try Exchange.note(tags, on: connection)
        try await conversation.send(bytes)
    }
}
