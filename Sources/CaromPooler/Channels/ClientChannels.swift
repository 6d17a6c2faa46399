// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import CaromTCP

/// The channels that a client of transaction pooling listens to (`pool_listen`): what its statements have made of them, and what is
/// said there until it can be told.
///
/// It decides, and has no server: the ``RelayMachine`` asks that, and the relay has the ``ChannelHub`` listen.
final class ClientChannels {
    /// What the client listens to.
    private(set) var names: Set<String> = []
    /// A statement of the open transaction, or of one that ended just now, may have changed that.
    private(set) var isUnsettled = false
    /// The hub is to listen to the names before the client is told that its transaction is over.
    private(set) var isWaiting = false
    /// The client waits for a ReadyForQuery.
    private var owesReady = false
    /// What the client is to be told, as messages, while it is in no transaction.
    private var heard: [UInt8] = []
    /// What of that counts as waiting.
    private var counted = 0
    /// What the transaction has stopped, in the order of its marks.
    private var stopped: [UnlistenedChannels] = []
    /// The same of the request that is under way, outside any block: it counts unless the request fails.
    private var stoppedAlone = UnlistenedChannels()

    deinit { BufferMemory.giveBack(counted) }

    /// There are none, and none are about to be.
    var isEmpty: Bool { names.isEmpty && !isUnsettled && !isWaiting }

    // MARK: Statements

    /// The marks that a transaction can have; what is stopped beyond that shares the last one.
    private static var mostMarks: Int { 32 }

    /// A statement goes to the server that changes what is listened to. The mark that it may need goes in front of it.
    func forward(
        _ effects: StatementEffects, _ text: RawSpan, _ registry: StatementRegistry?,
        _ server: inout ServerState, _ out: inout Segments
    ) {
        guard let mark = run(effects, text, server) else { return }
        HiddenMessages.runInFront(ChannelInquiry.set(mark: mark), registry, &server, &out)
    }

    /// A statement runs that changes what is listened to.
    ///
    /// - Returns: the mark that is to be set in front of it.
    @discardableResult
    func run(_ effects: StatementEffects, _ text: RawSpan, _ server: borrowing ServerState) -> Int? {
        if server.flow.staysFailed || names.isEmpty && !Self.canFollow(server) { return nil }
        // Nothing can take it back but an error of its request.
        let isAlone = server.flow.isSynchronized && server.flow.transactionStatus == .idle
        return run(
            stopping: UnlistenedChannels(in: text), mayStart: effects.contains(.keeps), isAlone: isAlone)
    }

    /// What is said is heard in UTF-8. A client that wants it otherwise keeps the server that it listens with.
    static func canFollow(_ server: borrowing ServerState) -> Bool {
        server.reported["client_encoding"] == "UTF8"
    }

    /// The same of one that stops these, and may start others.
    func run(stopping stops: UnlistenedChannels, mayStart: Bool, isAlone: Bool) -> Int? {
        if mayStart || !names.isEmpty { isUnsettled = true }
        if stops.isEmpty || names.isEmpty { return nil }
        if isAlone {
            stoppedAlone.formUnion(stops)
            return nil
        }
        if stopped.count < Self.mostMarks {
            stopped.append(stops)
        } else {
            stopped[stopped.count - 1].formUnion(stops)
        }
        return stopped.count - 1
    }

    /// The server is lost, and with it what its transaction would have changed.
    func abandonTransaction() {
        isUnsettled = false
        stopped = []
        stoppedAlone = UnlistenedChannels()
    }

    /// A request is over.
    func requestEnded(hasFailed: Bool) {
        if !hasFailed { names = stoppedAlone.remaining(of: names) }
        stoppedAlone = UnlistenedChannels()
    }

    // MARK: Behind the transaction

    /// What the server is asked when the client's request has left its transaction like this.
    func question(at status: TransactionStatus) -> SessionQuestion? {
        status == .idle ? .whatIsHeard(isAwaited: true) : nil
    }

    /// What a server is asked; nil for questions about something else.
    func statements(for question: SessionQuestion) -> [[UInt8]]? {
        if case .whatIsHeard = question { ChannelInquiry.statements(marks: stopped.count) } else { nil }
    }

    /// The server has answered; nil for one that could not. It listens to nothing any more.
    ///
    /// - Parameter isAwaited: the client waits for a ReadyForQuery.
    /// - Returns: whether the hub is to listen to other channels than before.
    func settle(_ answer: ChannelInquiry.Answer?, isAwaited: Bool) -> Bool {
        defer { abandonTransaction() }
        guard let answer else { return false }
        let before = registered
        for (mark, stops) in stopped.enumerated() where answer.marks.contains(mark) {
            names = stops.remaining(of: names)
        }
        names.formUnion(answer.channels)
        if names == before { return false }
        isWaiting = true
        owesReady = isAwaited
        return true
    }

    /// What the hub listens to for this client, as far as that is known here.
    private var registered: Set<String> = []

    /// The hub listens to the names, or cannot. The client is to be told.
    func settled(_ trouble: PostgresError?) {
        isWaiting = false
        if let trouble {
            names = registered
            ErrorFields(
                severity: .error, code: .connectionFailure, message: "cannot listen: \(trouble.message)",
                detail: "What the transaction has done lasts, but for its LISTEN and UNLISTEN.",
                hint:
                    "pool_listen has all clients of a route listen on one connection, which could not be had"
            ).encode(into: &heard)
        } else {
            registered = names
        }
        if owesReady { ReadyForQuery(status: .idle).encode(into: &heard) }
        owesReady = false
    }

    // MARK: What is said

    /// How many bytes wait for a client that holds a server, or does not read.
    static var mostBytes: Int { 16 << 20 }

    /// The end of a session whose client takes nothing.
    static var overflow: SessionEnd {
        .fatal(
            .configurationLimitExceeded, "too many notifications wait for the client",
            detail: "\(mostBytes) bytes may.", hint: "read notifications, and end transactions sooner")
    }

    /// Something was said on a channel.
    ///
    /// - Returns: false if too much waits.
    func hear(_ message: [UInt8], on channel: String) -> Bool {
        if !names.contains(channel) { return true }
        heard.append(contentsOf: message)
        BufferMemory.take(message.count)
        counted += message.count
        return heard.count <= Self.mostBytes
    }

    /// Takes what is to be told.
    func takeHeard() -> [UInt8] {
        defer { heard = [] }
        BufferMemory.giveBack(counted)
        counted = 0
        return heard
    }
}
