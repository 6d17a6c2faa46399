// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// The client's end of a relay: its socket, what it has sent and waits, and what it has not taken yet.
struct ClientLeg: ~Copyable {
    /// What the loop says when it calls the relay.
    enum Token {
        /// The client's socket.
        static let client = 0
        /// A transfer goes on after the other clients had their turn.
        static let more = 4
    }

    let transport: Transport
    /// The same, for looks that cost no retain; the session holds it.
    private let held: Unmanaged<Transport>
    /// Bytes from the client that wait for more bytes, or for a server.
    private(set) var input: [UInt8]
    // Flags lie together, here, in the other leg and in the machine: between words each takes one, in every client that is there.
    /// The kept bytes can be worked on, though the socket has brought nothing new.
    private var inputIsReady = false
    /// The socket has brought something while nothing could be read.
    private var isPostponed = false
    /// The client has closed its side, and was written to since, which shows whether it is still there.
    private var wasProbed = false
    /// Whether anything is read from the client.
    private(set) var gate = Gate.open
    /// Bytes that the client has not taken yet.
    private var output = OutputQueue()

    enum Gate {
        case open
        /// Not before others listen for it. → `open`
        case held
        /// The session ends when the client has taken what it was sent.
        case finishing
    }

    init(_ transport: Transport, input: [UInt8], isReady: Bool) {
        self.transport = transport
        held = .passUnretained(transport)
        self.input = input
        inputIsReady = isReady && !input.isEmpty
        BufferMemory.take(input.count)
    }

    deinit { if !input.isEmpty { BufferMemory.giveBack(input.count) } }

    // MARK: From the client

    /// A look at what has come is worth it.
    @inline(__always)
    var hasWork: Bool { inputIsReady || held._withUnsafeGuaranteedRef { $0.isReadable } }

    /// What was kept can be worked on.
    var hasKeptWork: Bool { inputIsReady || isPostponed }

    /// Puts what was kept, and what the socket has, at the beginning of `buffer`.
    ///
    /// - Parameter isClosed: set when the client has closed its side behind these bytes.
    /// - Returns: how much there is.
    /// - Throws: `clientLeft` when the connection failed.
    mutating func read(into buffer: UnsafeMutableRawBufferPointer, isClosed: inout Bool)
        throws(SessionEnd) -> Int
    {
        inputIsReady = false
        isPostponed = false
        let kept = input.isEmpty ? 0 : takeKept(into: buffer)
        guard transport.isReadable, kept < buffer.count else { return kept }
        let outcome: ReadOutcome
        do throws(SystemError) {
            outcome = try transport.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[kept...]))
        } catch {
            throw .clientLeft
        }
        switch outcome {
        case .bytes(let count): return kept + count
        case .wouldBlock: return kept
        case .end:
            isClosed = true
            return kept
        }
    }

    private mutating func takeKept(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = input.count
        precondition(count <= buffer.count, "kept bytes fit into the buffer that they came from")
        input.withUnsafeBytes { buffer.copyMemory(from: $0) }
        keep([])
        return count
    }

    /// Keeps what could not be worked on.
    @inline(__always)
    mutating func keep(_ chunk: UnsafeRawBufferPointer, from position: Int) {
        if position < chunk.count { keep(Array(chunk[position...])) }
    }

    private mutating func keep(_ bytes: [UInt8]) {
        BufferMemory.take(bytes.count - input.count)
        input = bytes
    }

    /// How much can be taken back.
    func room(of buffer: UnsafeMutableRawBufferPointer) -> Int { buffer.count - input.count }

    /// What was sent to a server comes in front of what is kept.
    mutating func takeBack(_ bytes: [UInt8]) { keep(bytes + input) }

    /// Keeps what waits for more, or for a server. A client that does not take its answers goes on when it has.
    ///
    /// - Throws: the end of the session where `memory_limit` is met.
    mutating func keepIdle(_ chunk: UnsafeRawBufferPointer, from position: Int) throws(SessionEnd) {
        if position < chunk.count, BufferMemory.isExhausted { throw .outOfMemory }
        keep(chunk, from: position)
        if !keepsUp { retry() }
    }

    /// Bytes are kept.
    var keepsInput: Bool { !input.isEmpty }

    /// Nothing waits for the client, and nobody doubts that it is there.
    var isAtRest: Bool {
        keepsUp && gate == .open && !wasProbed && !transport.isHungUp
    }

    /// How much waits in either direction, for tables.
    var waitingBytes: (fromClient: Int, toClient: Int) { (input.count, output.count) }

    /// Answers or drops what needs no server. True: at `position` begins a message that needs one.
    mutating func reachesWork(
        _ bytes: RawSpan, _ position: inout Int, _ machine: inout RelayMachine, _ limits: FrameLimits,
        _ heldLimit: Int
    ) throws(SessionEnd) -> Bool {
        while true {
            switch try machine.clientSent(bytes, from: &position, limits: limits, heldLimit: heldLimit) {
            case .needServer: return true
            case .needMore: return false
            case .answerReady:
                try send(ReadyForQuery.idleMessage)
                if !keepsUp { return false }
            }
        }
    }

    /// What the client waits for a server with is answered as cancelled.
    mutating func cancelWait(_ machine: inout RelayMachine) throws(SessionEnd) {
        if let first = input.first { try send(machine.cancelWait(first)) }
        retry()
    }

    /// The client is told something, and its bytes go on.
    @inline(never)
    mutating func goOn(telling messages: [UInt8]) throws(SessionEnd) {
        retry()
        try tell(messages)
    }

    /// The client is told something, if there is anything.
    @inline(__always)
    mutating func tell(_ messages: [UInt8]) throws(SessionEnd) {
        if !messages.isEmpty { try send(messages) }
    }

    /// Nothing is read from the client until others listen for it. It is told something before.
    mutating func hold(telling messages: [UInt8]) throws(SessionEnd) {
        if gate == .open { gate = .held }
        try tell(messages)
    }

    /// The client is told what it has heard.
    ///
    /// - Returns: whether it is read from again, because others listen for it now.
    mutating func tell(_ channels: ClientChannels) throws(SessionEnd) -> Bool {
        try goOn(telling: channels.takeHeard())
        if gate != .held || channels.isWaiting { return false }
        gate = .open
        return true
    }

    /// The client's socket has something that cannot be read now.
    ///
    /// - Returns: false, for the caller.
    mutating func postpone() -> Bool {
        isPostponed = true
        return false
    }

    /// What is kept can be worked on now.
    @inline(__always)
    mutating func retry() { inputIsReady = !input.isEmpty }

    // MARK: To the client

    /// The client has taken everything.
    @inline(__always)
    var keepsUp: Bool { output.isEmpty }

    /// Sends bytes behind what waits; what the client does not take now waits too.
    @inline(__always)
    mutating func send(_ bytes: UnsafeRawBufferPointer) throws(SessionEnd) {
        do throws(SystemError) { try output.write(bytes, to: transport) } catch { throw .clientLeft }
    }

    /// Sends bytes behind what waits.
    mutating func send(_ bytes: [UInt8]) throws(SessionEnd) {
        do throws(SystemError) { try output.write(bytes, to: transport) } catch { throw .clientLeft }
    }

    /// Writes what waits, as far as the client takes it. True: all of it.
    mutating func flush() throws(SessionEnd) -> Bool {
        guard transport.isWritable else { return false }
        do throws(SystemError) { try output.flush(to: transport) } catch { throw .clientLeft }
        if output.isEmpty, gate == .finishing { throw .terminated }
        return output.isEmpty
    }

    /// Ends the session; where the client has ended it, only when it has taken what it was sent. Its server does not wait for that.
    mutating func finish(
        _ end: SessionEnd, telling messages: [UInt8] = [], _ leg: inout ServerLeg,
        _ machine: inout RelayMachine
    ) throws(SessionEnd) {
        try tell(messages)
        if keepsUp || end != .terminated && end != .clientLeft { throw end }
        gate = .finishing
        if leg.cancels.areUnderWay { return }
        leg.giveUp()
        machine.detach()
    }

    // MARK: Is it there?

    /// The client has sent its last byte. It may still read what it is owed.
    @inline(never)
    mutating func noticeEnd(
        _ leg: inout ServerLeg, _ machine: inout RelayMachine, _ segments: inout Segments
    ) throws(SessionEnd) {
        guard gate == .open, let server = leg.server else {
            // What it has sent may look for a server again, or for room.
            return hasKeptWork || gate != .open ? () : try finish(.clientLeft, &leg, &machine)
        }
        // The end has its place behind what is held back, and is seen again when that goes on.
        if !machine.mayForward(to: server.state) { return }
        // A part of a message, which nobody will end.
        keep([])
        segments.removeAll()
        let end = machine.clientClosed(&server.state, &segments)
        leg.send(segments, of: UnsafeRawBufferPointer(start: nil, count: 0), to: server)
        if let end { return try finish(end, &leg, &machine) }
        try probe(server, machine)
    }

    /// Finds out whether a client that has closed its side is still there. Closing one side and closing both look the same; but
    /// a client that is gone resets the connection when it is written to. Inside a message nothing of ours can be sent: its rest shows it,
    /// or the keepalive, once the peer's kernel has forgotten the connection.
    ///
    /// - Throws: `clientLeft` once that is known.
    @inline(never)
    mutating func probe(_ server: PostgresConnection?, _ machine: borrowing RelayMachine) throws(SessionEnd) {
        if !wasProbed, gate != .finishing, server?.state.isInsideReply != true {
            wasProbed = true
            try send(machine.book.repetition())
        }
        if transport.isGone { throw .clientLeft }
    }

    /// Lets go of what waits for the client.
    mutating func leave() -> OutputQueue { output }
}
