// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// A client's conversation with the console, from its greeting on: bytes in, bytes out, no socket.
///
/// It speaks the simple and the extended protocol. There are no transactions and no parameters, and values are text, whose
/// binary form is the same.
struct ConsoleSession {
    private let context: ConsoleContext
    private let role: ConsoleRole
    /// Bytes of messages that are not complete, or not answered yet.
    private var input: [UInt8] = []
    private var prepared = ConsoleStatements()
    /// An extended message failed: everything up to the next Sync is passed over.
    private var skipsToSync = false
    /// Messages wait for ``resume(into:)``, because the answers so far are long enough.
    private(set) var isBehind = false
    /// What is to be done elsewhere before anything else is answered; its result is for ``finish(_:into:)``.
    private(set) var job: ConsoleJob?
    private var waiting: Waiting?

    /// What goes on when the result of a job is there.
    private enum Waiting {
        /// A simple query: the command that waits, and those behind it.
        case query(ConsolePortal, rest: ArraySlice<any ConsoleCommand>)
        /// A portal of the extended protocol.
        case portal([UInt8])
    }

    /// The longest message. Commands are short, so a longer one is a mistake or an attack.
    static let messageLimit = 64 * 1024
    /// Statements in one Query. More would let one message ask for any amount of output.
    static let statementLimit = 32
    /// Bytes of answers after which the rest waits until these are sent.
    static let outputLimit = 128 * 1024

    init(_ context: ConsoleContext, _ role: ConsoleRole) {
        self.context = context
        self.role = role
    }

    /// Writes what follows a successful authentication: AuthenticationOk, the parameters that drivers look at, the key and
    /// ReadyForQuery.
    ///
    /// - Parameter applicationName: what the client called itself.
    static func greet(
        user: String, applicationName: String = "", version: String = CaromVersion.number,
        key: BackendKeyData, into output: inout [UInt8]
    ) {
        AuthenticationRequest.ok.encode(into: &output)
        let parameters = [
            // Like PgBouncer's `1.25.2/bouncer`: drivers read the number, people see that it is no PostgreSQL.
            ("server_version", "\(version)/carom"), ("server_encoding", "UTF8"), ("client_encoding", "UTF8"),
            ("application_name", applicationName), ("DateStyle", "ISO, MDY"), ("IntervalStyle", "postgres"),
            ("TimeZone", "GMT"), ("integer_datetimes", "on"), ("standard_conforming_strings", "on"),
            ("is_superuser", "off"), ("session_authorization", user), ("in_hot_standby", "off"),
            ("default_transaction_read_only", "off"),
        ]
        for (name, value) in parameters { ParameterStatus(name: name, value: value).encode(into: &output) }
        key.encode(into: &output)
        ReadyForQuery(status: .idle).encode(into: &output)
    }

    /// Takes in what the client has sent, cut anywhere, and appends the answers.
    ///
    /// When ``isBehind`` is true afterwards, nothing more is to be read until the output was sent and ``resume(into:)`` has
    /// done the rest.
    ///
    /// - Throws: why the session is over. What was appended before is still to be sent.
    mutating func received(_ chunk: RawSpan, into output: inout [UInt8]) throws(SessionEnd) {
        chunk.withUnsafeBytes { input.append(contentsOf: $0) }
        try resume(into: &output)
    }

    /// Answers messages that have waited for the output to be sent.
    ///
    /// - Throws: why the session is over. What was appended before is still to be sent.
    mutating func resume(into output: inout [UInt8]) throws(SessionEnd) {
        isBehind = false
        let limit = output.count + Self.outputLimit
        var position = 0
        defer { discard(position) }
        while job == nil {
            switch Framing.next(in: input.span.bytes, at: position, limit: Self.messageLimit) {
            case .needMore: return
            case .invalid(let error): throw .fatal(error.sqlState, "\(error)")
            case .frame(let header):
                guard let tag = FrontendTag(rawValue: header.tag) else {
                    throw .fatal(.protocolViolation, "\(WireError.unknownTag(header.tag))")
                }
                guard input.count - position >= header.length else { return }
                if output.count >= limit {
                    isBehind = true
                    return
                }
                let body = Array(input[(position + Framing.headerSize)..<(position + header.length)])
                position += header.length
                try answer(tag, body, into: &output)
            }
        }
    }

    /// Answers what has waited for the result of the job, and what came behind it.
    ///
    /// - Throws: why the session is over. What was appended before is still to be sent.
    mutating func finish(_ result: ConsoleResult, into output: inout [UInt8]) throws(SessionEnd) {
        guard let waiting else { preconditionFailure("no result is awaited") }
        self.waiting = nil
        job = nil
        do throws(ConsoleError) {
            switch waiting {
            case .portal(let name): try prepared.finish(name, result, into: &output)
            case .query(var portal, let rest):
                try portal.finish(result, into: &output)
                try run(rest, into: &output)
            }
        } catch {
            error.fields.encode(into: &output)
            if case .portal = waiting { skipsToSync = true }
        }
        if case .query = waiting, job == nil { ReadyForQuery(status: .idle).encode(into: &output) }
        try resume(into: &output)
    }

    private mutating func discard(_ count: Int) {
        // An array that was emptied keeps its memory; an idle client shall not.
        if count == input.count { input = [] } else { input.removeFirst(count) }
    }

    private mutating func answer(_ tag: FrontendTag, _ body: [UInt8], into output: inout [UInt8])
        throws(SessionEnd)
    {
        switch tag {
        case .terminate: throw .terminated
        case .password: throw .fatal(.protocolViolation, "received a password message after the login")
        case .sync:
            skipsToSync = false
            prepared.endTransaction()
            ReadyForQuery(status: .idle).encode(into: &output)
        // PostgreSQL passes over what is left of a COPY. Answers are sent anyway, so a Flush has nothing to do.
        case .copyData, .copyDone, .copyFail, .flush: return
        case .query, .functionCall, .parse, .bind, .describe, .execute, .close:
            guard !skipsToSync else { return }
            let request: ConsoleRequest
            do throws(WireError) {
                request = try ConsoleRequest(tag, body.span.bytes)
            } catch {
                throw .fatal(error.sqlState, "\(error)")
            }
            answer(request, into: &output)
        }
    }

    private mutating func answer(_ request: ConsoleRequest, into output: inout [UInt8]) {
        do throws(ConsoleError) {
            switch request {
            case .query(let query): try answer(query, into: &output)
            case .functionCall: throw ConsoleError(.featureNotSupported, "the console has no functions")
            case .parse(let parse): try prepared.parse(parse, role, into: &output)
            case .bind(let bind): try prepared.bind(bind, into: &output)
            case .describe(let object): try prepared.describe(object, into: &output)
            case .execute(let execute):
                job = try prepared.execute(execute, context, into: &output)
                if job != nil { waiting = .portal(execute.portal) }
            case .close(let object): prepared.close(object, into: &output)
            }
        } catch {
            error.fields.encode(into: &output)
            skipsToSync = !request.endsWithReady
        }
        if request.endsWithReady, job == nil { ReadyForQuery(status: .idle).encode(into: &output) }
    }

    private mutating func answer(_ query: Query, into output: inout [UInt8]) throws(ConsoleError) {
        prepared.beginSimpleQuery()
        // All are read before the first runs: a misspelled one lets none of them happen.
        let commands = try ConsoleCommands.commands(in: query.text, limit: Self.statementLimit, role)
        if commands.isEmpty { BackendTag.emptyQueryResponse.encodeEmpty(into: &output) }
        try run(commands[...], into: &output)
    }

    /// Runs commands one after the other, up to one that waits.
    private mutating func run(_ commands: ArraySlice<any ConsoleCommand>, into output: inout [UInt8])
        throws(ConsoleError)
    {
        var rest = commands
        while let command = rest.popFirst() {
            var portal = ConsolePortal(command)
            if command.columns != nil { portal.describe(into: &output) }
            job = try portal.run(context, limit: 0, into: &output)
            if job != nil {
                waiting = .query(portal, rest: rest)
                return
            }
        }
    }
}

/// A message that asks the console for something.
private enum ConsoleRequest {
    case query(Query)
    case functionCall
    case parse(Parse)
    case bind(Bind)
    case describe(NamedObject)
    case execute(Execute)
    case close(NamedObject)

    init(_ tag: FrontendTag, _ body: RawSpan) throws(WireError) {
        switch tag {
        case .query: self = .query(try Query(body: body))
        case .functionCall: self = .functionCall
        case .parse: self = .parse(try Parse(body: body))
        case .bind: self = .bind(try Bind(body: body))
        case .describe: self = .describe(try NamedObject(body: body))
        case .execute: self = .execute(try Execute(body: body))
        case .close: self = .close(try NamedObject(body: body))
        case .copyData, .copyDone, .copyFail, .flush, .password, .sync, .terminate:
            preconditionFailure("a message of type \(tag) asks for nothing")
        }
    }

    /// ReadyForQuery follows at once, whether it succeeds or not.
    var endsWithReady: Bool {
        switch self {
        case .query, .functionCall: true
        case .parse, .bind, .describe, .execute, .close: false
        }
    }
}
