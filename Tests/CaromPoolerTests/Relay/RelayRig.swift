// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

@testable import CaromPooler

/// The relay's shell without sockets: one client, one server, and what either of them was sent.
struct RelayRig: ~Copyable {
    var machine: RelayMachine
    var server = ServerState()
    private let rule: CleaningRule
    private let user: UInt64
    let counters = Counters()

    private(set) var toServer: [UInt8] = []
    private(set) var toClient: [UInt8] = []
    /// What was sent to the server before the client's bytes, to prepare it.
    private(set) var preludes: [[UInt8]] = []
    private(set) var releases = 0
    private(set) var attachments = 0
    /// What the server was asked by the pooler itself, behind the client's requests.
    private(set) var questions: [[UInt8]] = []
    /// What a server answers that is asked what is left in its session.
    var left = SessionInquiry.Answer()
    /// What one answers that is asked what its client's transaction has made of its channels.
    var heard = ChannelInquiry.Answer()
    private(set) var replacements = 0
    /// How often reads go to another server, and how much can be taken back.
    var (retries, room) = (0, 100_000)
    private(set) var end: SessionEnd?
    private(set) var loss: ServerLoss?
    /// A sentence about the first rule that was broken.
    private(set) var broken: String?

    private var input: [UInt8] = []
    private var isAttached = false
    /// Bytes of answers that the relay gave without a server.
    private var answeredHere = 0
    private let clientLimits = FrameLimits.client(holding: [.query, .parse, .bind], heldLimit: heldLimit)
    private let serverLimits = FrameLimits.server()
    private static let heldLimit = 65_536

    init(
        keepsServer: Bool = false, user: UInt64 = 7, startup: SettingValues = SettingValues(),
        statements: StatementRegistry? = nil, statementLimit: Int = 200,
        rule: CleaningRule = CleaningRule(), oneAtATime: Bool = false, records: [StatementRecord] = [],
        channels: ClientChannels? = nil
    ) {
        self.rule = rule
        self.user = user
        machine = RelayMachine(
            keepsServer: keepsServer, oneAtATime: oneAtATime,
            book: SessionBook(startup: startup), records: records,
            statements: statements.map {
                ClientRequests.Origin(
                    registry: $0, user: user, limit: statementLimit, channels: channels)
            }, counters: counters)
    }

    // MARK: Events

    mutating func clientSends(_ bytes: [UInt8]) {
        input += bytes
        work()
    }

    /// - Parameter isRecorded: the bytes are a recording's; replies to what the relay itself asks are not.
    mutating func serverSends(_ bytes: [UInt8], isRecorded: Bool = true) {
        guard end == nil else { return }
        // What the relay has answered by itself no server answers, though the recording says so.
        let skipped = isRecorded ? min(answeredHere, bytes.count) : 0
        answeredHere -= skipped
        if skipped == bytes.count { return }
        if !isAttached { return breakRule("a server that was released speaks") }
        var chunk = server.unread + bytes[skipped...]
        server.unread = []
        while true {
            let wasPreparing = machine.phase == .preparing
            let step = machine.serverSent(chunk.span.bytes, &server, limits: serverLimits)
            if wasPreparing, !step.received.visible.isEmpty { breakRule("a suppressed reply was delivered") }
            let visible = Array(chunk[step.received.visible])
            let isTold = visible.withUnsafeBytes {
                $0.isEmpty || machine.retention.mayTell($0, &server)
            }
            if isTold { toClient += visible }
            let (consumed, hasMore) = (step.received.consumed, step.received.hasMore)
            follow(step.next)
            chunk.removeFirst(consumed)
            if !hasMore { break }
        }
        if isAttached, end == nil { server.unread = chunk }
        work()
    }

    private mutating func follow(_ next: ServerStep.Next) {
        switch next {
        case .proceed: break
        case .tell(let messages): toClient += messages
        case .ask(let messages):
            toClient += messages
            // The answer is not the recording's to give: there are replies to no such query in it.
            var out = Segments()
            machine.ask(&server, &out)
            questions.append(out.bytes(of: UnsafeRawBufferPointer(start: nil, count: 0)))
        case .release(let messages):
            toClient += messages
            release()
        case .prepared(let messages): toClient += messages
        case .listen(let messages, let then):
            toClient += messages
            machine.requests.channels?.settled(nil)
            toClient += machine.requests.channels?.takeHeard() ?? []
            follow(then)
        case .finish(let messages):
            toClient += messages
            end = .terminated
        case .refuse(let fields): end = .refused(fields)
        case .replace:
            isAttached = false
            server = ServerState()
            replacements += 1
        case .lose:
            if server.failure == nil { loseServer() } else { end = .cutOff("the server broke the protocol") }
        }
    }

    /// The server answers what it was asked by the pooler itself, and what it is asked after that.
    mutating func answerQuestions() {
        while case .asking(let question) = machine.phase, end == nil {
            var bytes: [UInt8] = []
            let isExtended = question.isAwaited && question != .rollBack
            for number in 0..<(isExtended ? Self.count("P", in: questions.last ?? []) : 1) {
                if isExtended { for tag in "312".utf8 { bytes.appendEmptyMessage(tag) } }
                appendAnswer(to: question, number: number, &bytes)
                if isExtended { for tag in "33".utf8 { bytes.appendEmptyMessage(tag) } }
            }
            ReadyForQuery(status: server.flow.transactionStatus).encode(into: &bytes)
            serverSends(bytes, isRecorded: false)
        }
    }

    private func appendAnswer(to question: SessionQuestion, number: Int, _ bytes: inout [UInt8]) {
        switch question {
        case .isFree: bytes.appendEmptyMessage(BackendTag.emptyQueryResponse.rawValue)
        case .whatIsLeft, .whatWasReset: Self.append(left, to: &bytes)
        case .whatIsHeard where number == 0: Self.append(heard, to: &bytes)
        case .restore, .rollBack, .whatIsHeard:
            bytes.appendMessage(BackendTag.commandComplete.rawValue) { $0.appendText("SET") }
        }
    }

    /// How many messages of this type there are.
    private static func count(_ tag: Unicode.Scalar, in bytes: [UInt8]) -> Int {
        var (position, count) = (0, 0)
        while case .frame(let header) = Framing.next(in: bytes.span.bytes, at: position) {
            if header.tag == UInt8(ascii: tag) { count += 1 }
            position += header.length
        }
        return count
    }

    private static func append(_ answer: SessionInquiry.Answer, to bytes: inout [UInt8]) {
        for setting in answer.settings.all {
            append(["s", setting.name, hexadecimal(setting.value)], to: &bytes)
        }
        for kind in KeptState.all where answer.kept.contains(kind.state) {
            append(["k", kind.name, ""], to: &bytes)
        }
        bytes.appendMessage(BackendTag.commandComplete.rawValue) { $0.appendText("SELECT 1") }
    }

    private static func append(_ answer: ChannelInquiry.Answer, to bytes: inout [UInt8]) {
        for channel in answer.channels.sorted() { append(["l", "", hexadecimal(channel)], to: &bytes) }
        for mark in answer.marks.sorted() { append(["m", "\(mark)", hexadecimal("set")], to: &bytes) }
        bytes.appendMessage(BackendTag.commandComplete.rawValue) { $0.appendText("SELECT 1") }
    }

    private static func hexadecimal(_ text: String) -> String {
        text.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return digits.count < 2 ? "0" + digits : digits
        }.joined()
    }

    private static func append(_ row: [String], to bytes: inout [UInt8]) {
        bytes.appendMessage(BackendTag.dataRow.rawValue) { bytes in
            bytes.append16(UInt16(row.count))
            for value in row { bytes.appendValue(Array(value.utf8)) }
        }
    }

    mutating func loseServer() {
        guard isAttached, end == nil else { return }
        let loss = ServerLoss.ofServer(&server, &machine, "it went away", room: room, retries: retries)
        self.loss = loss
        isAttached = false
        switch loss {
        case .unnoticed: break
        case .again(let bytes):
            input = bytes + input
            server = ServerState()
            work()
        case .answer(let fields, let count):
            for _ in 0..<count {
                fields.encode(into: &toClient)
                ReadyForQuery(status: .idle).encode(into: &toClient)
            }
        case .end(let end):
            self.end = end
            if case .refused(let fields) = end { fields.encode(into: &toClient) }
        }
    }

    // MARK: The shell

    private mutating func work() {
        while end == nil, !input.isEmpty, !machine.isEnding {
            do throws(SessionEnd) {
                guard try forward() else { return }
            } catch {
                end = error
            }
        }
    }

    /// True: something was done and more may be possible.
    private mutating func forward() throws(SessionEnd) -> Bool {
        let chunk = input
        var position = 0
        if !isAttached {
            reach: while true {
                switch try machine.clientSent(
                    chunk.span.bytes, from: &position, limits: clientLimits, heldLimit: Self.heldLimit)
                {
                case .needServer: break reach
                case .answerReady:
                    let before = toClient.count
                    ReadyForQuery(status: .idle).encode(into: &toClient)
                    answeredHere += toClient.count - before
                case .needMore:
                    input.removeFirst(position)
                    return false
                }
            }
            attach()
        }
        if !machine.mayForward(to: server) {
            input.removeFirst(position)
            return false
        }
        var out = Segments()
        machine.retention.beginReads(retries, &server)
        let start = position
        let end = machine.clientSent(
            chunk.span.bytes, from: &position, to: &server, limits: clientLimits, &out)
        toServer += chunk.withUnsafeBytes { out.bytes(of: $0) }
        if machine.retention.isOn {
            machine.retention.add(chunk.span.bytes.extracting(start..<position), &server)
        }
        input.removeFirst(position)
        if let end { throw end }
        return false
    }

    private mutating func attach() {
        isAttached = true
        attachments += 1
        var out = Segments()
        if !machine.attach(to: &server, as: user, rule: rule, &out) {
            preludes.append(out.bytes(of: UnsafeRawBufferPointer(start: nil, count: 0)))
        }
        toClient += machine.takeNews()
    }

    private mutating func release() {
        if !server.flow.isFree { breakRule("a server was released while it was busy") }
        if !server.unread.isEmpty || server.isInsideReply {
            breakRule("a server was released inside a reply")
        }
        machine.detach()
        isAttached = false
        releases += 1
    }

    private mutating func breakRule(_ sentence: String) { broken = broken ?? sentence }

    /// Kept bytes of the client's.
    var waiting: Int { input.count }
}
