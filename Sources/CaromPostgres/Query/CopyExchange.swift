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
    private var isOver = false

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
            while exchange.found == nil, !exchange.isDone { _ = try await exchange.step() }
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
            while !isDone {
                guard var data = try await step() else { continue }
                while !isDone, let message = try conversation.takeMessage(limit: options.maximumBytes) {
                    data += try take(message) ?? []
                }
                return data
            }
        } catch {
            throw await fail(error)
        }
        try await finish()
        return nil
    }

    /// Sends data, at the server's pace.
    mutating func write(_ data: [UInt8]) async throws(PostgresError) {
        guard !isOver else { throw PostgresError(.invalidRequest, "the COPY is over") }
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
            while let message = try conversation.takeMessage(limit: options.maximumBytes) {
                _ = try take(message)
            }
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
            _ = try await step()
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

    private mutating func step() async throws(PostgresError) -> [UInt8]? {
        try take(try await conversation.receive(limit: options.maximumBytes))
    }

    /// - Returns: its data.
    private mutating func take(_ message: ServerMessage) throws(PostgresError) -> [UInt8]? {
        let tag = try connection.state.receive(message.tag, message.body.span.bytes)
        try Exchange.heard(tag, message.body.span.bytes, on: connection)
        switch tag {
        case .copyData: return message.body
        case .copyInResponse: found = .fromClient
        case .copyOutResponse, .copyBothResponse: found = .toClient
        case .errorResponse: if error == nil { error = ErrorFields(body: message.body.span.bytes) }
        case .commandComplete, .emptyQueryResponse:
            isComplete = true
            rows = tag == .commandComplete ? (try? CommandComplete(body: message.body.span.bytes))?.rows : nil
        default: break
        }
        return nil
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
