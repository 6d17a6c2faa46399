// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromPostgresProtocol

@testable import CaromPooler

/// A server's session as the pool has it: what is known of it, and what it is.
final class PooledServer {
    var state = ServerState()
    var model = ModelPostgres()
    var isLent = false

    /// What the pool does before anybody else gets the server.
    func clean() {
        let (needed, readiness) = (state.neededReset, state.readiness)
        if readiness == .idle { return }
        precondition(readiness == .dirty, "a server came back \(readiness)")
        let sql = needed == .everything ? "DISCARD ALL" : SessionReset.statements(state.reported)
        var bytes: [UInt8] = []
        Query(sql).encode(into: &bytes)
        _ = model.receive(bytes)
        if needed == .everything { state.didReset() } else { state.didResetState() }
    }
}

/// A client in transaction pooling, with a relay of its own and whatever server it is given.
final class PooledClient {
    var rig: RelayRig
    /// The server that the client holds.
    private(set) var server: PooledServer?
    /// Replies of the server's on their way.
    private var replies: [UInt8] = []
    private var seen = (preludes: 0, bytes: 0, questions: 0)

    init(
        _ number: UInt64, _ registry: StatementRegistry, limit: Int = 200, startup: [String: String] = [:],
        rule: CleaningRule = CleaningRule(), oneAtATime: Bool = false
    ) {
        rig = RelayRig(
            user: number, startup: SettingValues(startup.map { StartupParameter($0.key, $0.value) }),
            statements: registry,
            statementLimit: limit, rule: rule, oneAtATime: oneAtATime)
    }

    /// The same client in another process, as it is told of there, where it has another number.
    func moved(_ number: UInt64, _ registry: StatementRegistry) -> PooledClient {
        let moved = PooledClient(number, registry)
        moved.rig = RelayRig(user: number, statements: registry, records: rig.machine.requests.records)
        let book = SessionBook(rig.machine.book.record)
        moved.rig.machine.begin(with: book, isConfirmed: rig.machine.isConfirmed)
        return moved
    }

    /// All that the client has got.
    var received: [UInt8] { rig.toClient }

    /// The client sends this, and everything is answered.
    ///
    /// - Parameter server: the server that it gets if it has none.
    /// - Returns: what the client gets for it.
    @discardableResult
    func send(_ bytes: [UInt8], on server: PooledServer) -> [UInt8] {
        let before = received.count
        take(server)
        rig.clientSends(bytes)
        while collect() { deliver(answered) }
        giveBack()
        return Array(received[before...])
    }

    /// The same with bytes cut in pieces on both sides, and with answers that come when they like.
    func send(_ bytes: [UInt8], on server: PooledServer, _ random: inout SeededRandom, longest: Int = 60) {
        take(server)
        var rest = bytes[...]
        while !rest.isEmpty || !replies.isEmpty {
            if !rest.isEmpty, replies.isEmpty || Bool.random(using: &random) {
                let piece = rest.prefix(Int.random(in: 1...longest, using: &random))
                rest = rest.dropFirst(piece.count)
                rig.clientSends(Array(piece))
            } else {
                deliver(min(replies.count, Int.random(in: 1...longest, using: &random)))
            }
            collect()
        }
        giveBack()
    }

    /// The same in pieces, but one side after the other, so that nothing depends on when answers come.
    func sendInTurns(_ bytes: [UInt8], on server: PooledServer, _ random: inout SeededRandom) {
        take(server)
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...40, using: &random))
            rest = rest.dropFirst(piece.count)
            rig.clientSends(Array(piece))
        }
        while collect() {
            let answers = answered
            var delivered = 0
            while delivered < answers {
                let count = min(answers - delivered, Int.random(in: 1...40, using: &random))
                deliver(count)
                delivered += count
            }
        }
        giveBack()
    }

    private func take(_ server: PooledServer) {
        if self.server != nil { return }
        precondition(!server.isLent, "the server is another client's")
        server.isLent = true
        self.server = server
        swap(&rig.server, &server.state)
    }

    private func giveBack() {
        guard rig.machine.phase == .detached, let server else { return }
        swap(&rig.server, &server.state)
        server.isLent = false
        self.server = nil
        server.clean()
    }

    /// The replies up to the last ReadyForQuery; all of them, if there is none.
    private var answered: Int {
        var position = 0
        var end = 0
        while case .frame(let header) = Framing.next(in: replies.span.bytes, at: position) {
            position += header.length
            if header.tag == BackendTag.readyForQuery.rawValue { end = position }
        }
        return end > 0 ? end : replies.count
    }

    /// The server reads what it has been sent, and answers.
    @discardableResult
    private func collect() -> Bool {
        guard let server else { return false }
        var bytes: [UInt8] = []
        for prelude in rig.preludes[seen.preludes...] { bytes += prelude }
        bytes += rig.toServer[seen.bytes...]
        for question in rig.questions[seen.questions...] { bytes += question }
        seen = (rig.preludes.count, rig.toServer.count, rig.questions.count)
        if !bytes.isEmpty { replies += server.model.receive(bytes) }
        return !replies.isEmpty
    }

    private func deliver(_ count: Int) {
        let piece = Array(replies.prefix(count))
        replies.removeFirst(piece.count)
        rig.serverSends(piece, isRecorded: false)
    }
}

/// Bytes of a client's messages, one behind the other.
struct Messages {
    private(set) var bytes: [UInt8] = []

    static func of(_ build: (inout Messages) -> Void) -> [UInt8] {
        var messages = Messages()
        build(&messages)
        return messages.bytes
    }

    mutating func parse(_ name: String, _ text: String) {
        Parse(name: name, query: text).encode(into: &bytes)
    }
    mutating func bind(_ name: String, parameters: [[UInt8]?] = []) {
        Bind(statement: Array(name.utf8), parameters: parameters).encode(into: &bytes)
    }
    mutating func describe(_ name: String) {
        NamedObject(.statement, name: name).encodeDescribe(into: &bytes)
    }
    mutating func close(_ name: String) { NamedObject(.statement, name: name).encodeClose(into: &bytes) }
    mutating func execute() {
        bytes.appendMessage(FrontendTag.execute.rawValue) { bytes in
            bytes.appendText("")
            bytes.append32(0)
        }
    }
    mutating func run(_ name: String) {
        bind(name)
        execute()
    }
    mutating func sync() { bytes.appendEmptyMessage(FrontendTag.sync.rawValue) }
    mutating func flush() { bytes.appendEmptyMessage(FrontendTag.flush.rawValue) }
    mutating func query(_ text: String) { Query(text).encode(into: &bytes) }
}

/// Bytes as messages, for people: `1 2 D(a) C(SELECT 1) Z(I)`.
func readable(_ bytes: [UInt8]) -> String {
    var words: [String] = []
    var position = 0
    while case .frame(let header) = Framing.next(in: bytes.span.bytes, at: position),
        position + header.length <= bytes.count
    {
        let body = Array(bytes[(position + Framing.headerSize)..<(position + header.length)])
        var word = String(UnicodeScalar(header.tag))
        switch BackendTag(rawValue: header.tag) {
        case .dataRow: word += "(\(String(decoding: body.dropFirst(6), as: UTF8.self)))"
        case .commandComplete: word += "(\(String(decoding: body.dropLast(), as: UTF8.self)))"
        case .readyForQuery: word += "(\(String(decoding: body, as: UTF8.self)))"
        case .errorResponse:
            let fields = ErrorFields(body: body.span.bytes)
            word += "(\(fields.text(.code) ?? "") \(fields.message ?? ""))"
        default: break
        }
        words.append(word)
        position += header.length
    }
    return words.joined(separator: " ") + (position < bytes.count ? " …" : "")
}
