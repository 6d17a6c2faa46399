// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// One client, from accept to its end: a coroutine on its worker's thread.
///
/// Its life has Odyssey's stages: startup, cancel, route, authenticate, process, cleanup. A file each. It waits in one place,
/// on `waker`, whatever it waits for: its own socket, its server's, a claim, a timer, a cancel, the pooler's end.
final class ClientSession {
    let id = ConnectionID(.client)
    /// The number by which server connections remember their last user.
    let owner: UInt64
    let worker: Worker
    /// The worker's buffer: its content lasts until the next suspension.
    let buffer: UnsafeMutableRawBufferPointer
    let stream: Transport
    let waker = Waker()
    let timer: ReactorTimer
    let listener: ListenerDefinition

    // From here on, `unchecked`: a session runs on one thread and no method is called while another is inside a property;
    // the run-time check would be on the path of every message.

    /// Bytes from the client that wait for more bytes, or for a server.
    @exclusivity(unchecked) var input: [UInt8] = []
    /// The kept bytes can be worked on, though the socket has brought nothing new.
    @exclusivity(unchecked) var inputIsReady = false
    /// Bytes that the client has not taken yet.
    @exclusivity(unchecked) var output = OutputQueue()
    /// Where the stream from the client stands.
    @exclusivity(unchecked) var walker = FrameWalker()

    /// What the client said at its start; empty until the startup stage is over.
    var startup = StartupMessage(user: "")
    /// The pool that serves the client; known after the route stage.
    var route: Route?
    /// Our errors carry the client's id (`client_show_id`).
    var showsID = true
    /// Counts of this route on this worker.
    var counters: Counters?
    /// The client's session parameters as it believes they are.
    @exclusivity(unchecked) var parameters = SessionParameters(.pooled)
    /// Whether a server grants them.
    @exclusivity(unchecked) var grant = Grant.open
    /// What the client must show to have its query cancelled.
    var cancelKey: BackendKeyData?

    /// The login is over: the client may send queries.
    var isReady: Bool { cancelKey != nil }

    /// The server connection that the session holds now.
    @exclusivity(unchecked) var claim: Claim<PostgresConnection>?
    @exclusivity(unchecked) var server: PostgresConnection?
    /// What goes to the server before the client's own bytes, in the same write.
    @exclusivity(unchecked) var prefix: [UInt8] = []
    /// The place in the queue for a server, while there is one.
    @exclusivity(unchecked) var waiting: WaiterID?
    let delivery: ClaimDelivery
    @exclusivity(unchecked) var preferredSlot: SlotID?
    /// Cancels on their way to the server: until they have arrived the server is not let go.
    @exclusivity(unchecked) var cancelsUnderWay = 0
    private var isStopping = false
    private var isAborting = false
    var isAdmitted = false

    init(worker: Worker, stream: Transport, owner: UInt64, listener: ListenerDefinition) {
        self.worker = worker
        buffer = worker.buffer
        self.stream = stream
        self.owner = owner
        self.listener = listener
        timer = worker.reactor.makeTimer(waker)
        delivery = ClaimDelivery(waker: waker, reactor: worker.reactor)
        stream.setHandler(waker)
    }

    /// Runs the session to its end. Never throws: whatever happens, the client is told if it can be, and everything
    /// the session held is given back.
    ///
    /// The steps are functions of their own, and not inlined: what a coroutine's body uses, its task keeps for as long as the
    /// coroutine runs, and idle clients are many.
    func run() async {
        let started = Deadline.now
        noteStart()
        do throws(SessionEnd) {
            try await open()
            try await relay()
        } catch {
            await close(error)
        }
        noteEnd(started)
    }

    @inline(never)
    private func open() async throws(SessionEnd) {
        armLoginTimer()
        try await receiveStartup()
        let rule = try findRule()
        try await authenticate(rule)
        try await setUp(try enter(rule))
        noteSetUp()
    }

    @inline(never)
    private func armLoginTimer() {
        let limit = listener.settings.clientLoginTimeout
        worker.reactor.arm(timer, at: .now + limit)
    }

    /// Lets the session end itself as soon as it holds no server.
    func stop() {
        isStopping = true
        waker.wake()
    }

    /// Ends the session whatever it is doing.
    func abort() {
        isAborting = true
        waker.wake()
    }

    /// Gives the places back that the session took under the limits.
    func leave() {
        if isAdmitted { worker.admission.leave() }
        isAdmitted = false
        if let route { worker.router.leave(route) }
        route = nil
    }

    // MARK: Waiting

    /// Waits until something may have changed.
    ///
    /// - Throws: `loginTimedOut` when the login takes too long, `shutdown` when the pooler goes down.
    func wait() async throws(SessionEnd) {
        await waker.wait()
        try checkEnd()
    }

    /// Lets the other sessions of the worker have a turn.
    func giveWay() async throws(SessionEnd) {
        await worker.reactor.nextTurn()
        try checkEnd()
    }

    private func checkEnd() throws(SessionEnd) {
        if timer.deadline != .never, timer.isDue(at: .now) { throw .loginTimedOut }
        if isAborting || (isStopping && server == nil && waiting == nil) { throw .shutdown }
    }

    /// Reads more of what the client sends, waiting for it, and keeps it in `input`.
    func fillInput() async throws(SessionEnd) {
        while try !readInput() { try await wait() }
    }

    @inline(never)
    private func readInput() throws(SessionEnd) -> Bool {
        switch try readClient(into: buffer) {
        case .bytes(let count):
            input.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            return true
        case .wouldBlock: return false
        case .end: throw .clientLeft
        }
    }

    func readClient(into buffer: UnsafeMutableRawBufferPointer) throws(SessionEnd) -> ReadOutcome {
        do throws(SystemError) {
            return try stream.read(into: buffer)
        } catch {
            throw .clientLeft
        }
    }

    /// Sends `bytes` to the client as far as it takes them; the rest waits.
    func send(_ bytes: [UInt8]) throws(SessionEnd) {
        do {
            try bytes.withUnsafeBytes { try output.write($0, to: stream) }
        } catch {
            throw .clientLeft
        }
    }
}
