// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// The server's end of a relay: the server that the client holds, has held or waits for, and its socket.
struct ServerLeg: ~Copyable {
    /// What the client has of a server. It is one of these at a time.
    private enum Attachment: ~Copyable {
        /// None. → `waiting` or `attached` by a claim.
        case none
        /// The one of the client's last transaction, which the pool takes when anybody needs it. → `attached` by ``reclaim()``.
        case parked(ParkedClaim<PostgresConnection>)
        /// The client stands in the pool's queue. → `attached` when served.
        case waiting(WaiterID)
        /// The client's own. → `parked` or `none` when its transaction is over.
        case attached(Claim<PostgresConnection>)
    }

    /// What the loop says when it calls the relay.
    enum Token {
        /// The server's socket.
        static let server = 1
        /// A server was delivered, or something else asks for a look.
        static let signal = 2
    }

    private(set) var route: Route
    private var attachment = Attachment.none
    /// The server that is attached. Not retained: the claim, with which it comes and goes, holds it, and each look would cost.
    private var held: Unmanaged<PostgresConnection>?
    /// The connection that was used last: the pool is asked for it again.
    private var preferredSlot: SlotID?
    /// The kind of server that the client has chosen.
    let choice: TargetSessionAttributes?
    /// Servers that were lost, one after the other, before they had confirmed the client's settings.
    private var lossesInARow: UInt8 = 0
    /// Where the pool leaves the server that the client waits for, and what it wakes; made for the first claim that finds none idle.
    private var mailbox: ClaimMailbox?
    private var signal: Waker?

    /// Cancels on their way to the server.
    var cancels = CancelsUnderWay()

    /// Servers that may be lost like this for one request; then the client is told.
    private static var preparationAttempts: UInt8 { 3 }

    init(_ route: Route, choice: TargetSessionAttributes?) {
        self.route = route
        self.choice = choice
    }

    /// How often what only reads goes to another server; never what runs on a primary, be it a standby that was promoted or one that stands
    /// in for standbys that lag.
    var readRetries: Int {
        let retries = route.readRetries(choice)
        return retries > 0 && server?.role == .standby ? retries : 0
    }

    // MARK: Looks

    /// The server that is attached.
    var server: PostgresConnection? { held?.takeUnretainedValue() }

    /// A server is attached.
    @inline(__always)
    var isAttached: Bool { held != nil }

    /// A server is attached, and a read is worth a try.
    @inline(__always)
    var isReadable: Bool {
        guard let held else { return false }
        return held._withUnsafeGuaranteedRef { $0.transport.isReadable }
    }

    /// Where the client stands with it, for orders that wait.
    func position(_ keepsUp: Bool, _ order: RelayOrder) -> RelayOrder.Position {
        RelayOrder.Position(
            isAttached: isAttached, isWaiting: isWaiting, isFree: server?.state.flow.isFree == true,
            isStreaming: server?.state.flow.copyState == .both, keepsUp: keepsUp,
            isDraining: order == .leave && isAttached
                && preferredSlot.map { route.pool.isDraining($0) } == true)
    }

    /// The server, which is attached, has taken everything.
    @inline(__always)
    var keepsUp: Bool {
        guard let held else { return true }
        return held._withUnsafeGuaranteedRef { $0.output.isEmpty }
    }

    // MARK: Bytes

    /// What reading from the server came to.
    enum Reading {
        /// This many bytes are in the buffer, those that were kept before included.
        case bytes(Int)
        case nothing
        /// The connection is gone.
        case lost(String)
    }

    /// Writes the segments to the server, which is attached; what it does not take now waits.
    ///
    /// If that fails the server has closed. What it said last is still to be read, and then its loss is noticed.
    ///
    /// - Returns: false if it has failed: nothing of them has gone out.
    @discardableResult
    func send(_ segments: borrowing Segments, of chunk: UnsafeRawBufferPointer, to server: PostgresConnection)
        -> Bool
    {
        if segments.isEmpty { return true }
        do throws(SystemError) {
            try server.output.write(segments, of: chunk, to: server.transport)
            return true
        } catch {
            fail(server, error)
            // Very many pieces take several calls, and the first may have gone out.
            return segments.rest.count > 1_000
        }
    }

    /// Brings the server's session to the client's settings. The client's bytes wait if that takes a question.
    ///
    /// - Returns: what the client does not know of that server yet.
    func prepare(
        _ server: PostgresConnection, _ machine: inout RelayMachine, as user: UInt64,
        isAsking: Bool = false, _ segments: inout Segments
    ) -> [UInt8] {
        segments.removeAll()
        if machine.attach(
            to: &server.state, as: user, rule: route.definition.cleaningRule, isAsking: isAsking, &segments)
        {
            return machine.takeNews()
        }
        send(segments, of: UnsafeRawBufferPointer(start: nil, count: 0), to: server)
        return []
    }

    /// Asks a question of our own, behind the client's last. A cancel that is under way must not hit it.
    @inline(never)
    func ask(_ server: PostgresConnection, _ machine: inout RelayMachine, _ segments: inout Segments) {
        if cancels.areUnderWay { return }
        segments.removeAll()
        machine.ask(&server.state, &segments)
        send(segments, of: UnsafeRawBufferPointer(start: nil, count: 0), to: server)
    }

    /// Writes what waits, as far as the server takes it. True: all of it.
    func flush(_ server: PostgresConnection) -> Bool {
        guard server.transport.isWritable else { return false }
        do throws(SystemError) {
            try server.output.flush(to: server.transport)
        } catch {
            fail(server, error)
        }
        return server.output.isEmpty
    }

    private func fail(_ server: PostgresConnection, _ error: SystemError) {
        server.state.fail(PostgresError(error))
        server.transport.expectBytes()
    }

    /// Reads what the server has sent.
    @inline(__always)
    func read(_ server: PostgresConnection, into buffer: UnsafeMutableRawBufferPointer) -> Reading {
        let kept = server.state.takeUnread(into: buffer)
        do throws(SystemError) {
            switch try server.transport.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[kept...]))
            {
            case .bytes(let count): return .bytes(kept + count)
            case .wouldBlock:
                server.state.keepUnread(UnsafeRawBufferPointer(rebasing: buffer[..<kept]))
                // A write has failed, and nothing is left to be read that would say why.
                return server.state.failure.map { .lost($0.message) } ?? .nothing
            case .end: return .lost(server.state.failure?.message ?? "the server closed the connection")
            }
        } catch {
            return .lost((error.isOfTLS ? nil : server.state.failure?.message) ?? "\(error)")
        }
    }

    // MARK: Claims

    /// Takes the parked server back, unless the pool has taken it. True: it is attached.
    mutating func reclaim() -> Bool {
        // The switch is written like this because a noncopyable value cannot be matched against several cases at once yet.
        switch exchange(.none) {
        case .parked(let parked):
            guard let claim = parked.reclaim() else { return false }
            held = Unmanaged.passUnretained(claim.connection)
            attachment = .attached(claim)
            return true
        case let other:
            attachment = other
            return false
        }
    }

    /// Gets a server: the one that the client used last, or one that is idle, or a place in the queue for one.
    ///
    /// - Parameters:
    ///   - reactor: where the client lives; the server's socket moves there.
    ///   - mayWait: whether the client waits when no server is idle.
    ///   - handler: is called with ``Token`` when a server has come, or when the server's socket has something.
    /// - Returns: whether a server is attached.
    /// - Throws: what the client is told when it gets none.
    mutating func acquire(on reactor: Reactor, mayWait: Bool, handler: any EventHandler)
        throws(SessionEnd) -> Bool
    {
        if reclaim() {
            if server?.isQuiet == true { return true }
            release()
        }
        return try claim(on: reactor, mayWait: mayWait, handler)
    }

    @inline(never)
    private mutating func claim(on reactor: Reactor, mayWait: Bool, _ handler: any EventHandler)
        throws(SessionEnd) -> Bool
    {
        var request = route.request(choice)
        request.affinity = reactor.index
        request.preferredSlot = preferredSlot
        if let claim = route.pool.claimIdle(request) {
            attach(claim)
            try adopt(on: reactor, handler)
            return true
        }
        let receiver = openMailbox(reactor, handler)
        switch route.pool.claim(request, timeout: mayWait ? nil : .zero, receiver: receiver) {
        case .claimed(let claim):
            attach(claim)
            try adopt(on: reactor, handler)
            return true
        case .waiting(let waiter):
            attachment = .waiting(waiter)
            return false
        case .failed(let error):
            if !mayWait { return false }
            throw route.refusal(error)
        }
    }

    private mutating func openMailbox(_ reactor: Reactor, _ handler: any EventHandler) -> ClaimMailbox {
        if let mailbox { return mailbox }
        let waker = Waker(handler: handler, token: Token.signal, on: reactor)
        let mailbox = ClaimMailbox { reactor.wake(waker) }
        signal = waker
        self.mailbox = mailbox
        return mailbox
    }

    /// Takes the server that the client has waited for. True: it has come and is attached.
    mutating func receive(on reactor: Reactor, handler: any EventHandler) throws(SessionEnd) -> Bool {
        guard isWaiting, let ticket = mailbox?.take() else { return false }
        attachment = .none
        do throws(PoolError) {
            attach(try route.pool.redeem(ticket))
        } catch {
            throw route.refusal(error)
        }
        try adopt(on: reactor, handler)
        return true
    }

    private mutating func adopt(on reactor: Reactor, _ handler: any EventHandler) throws(SessionEnd) {
        do throws(SystemError) {
            try server?.transport.move(to: reactor, handler: handler, token: Token.server)
        } catch {
            discard("the worker could not take its socket")
            throw .fatal(.connectionFailure, "failed to take over a server connection: \(error.reason)")
        }
    }

    private mutating func attach(_ claim: consuming Claim<PostgresConnection>) {
        held = Unmanaged.passUnretained(claim.connection)
        preferredSlot = claim.slot
        attachment = .attached(claim)
    }

    /// The client stands in the pool's queue.
    var isWaiting: Bool {
        switch attachment {
        case .waiting: true
        default: false
        }
    }

    /// Its place in the queue.
    var waiter: WaiterID? {
        switch attachment {
        case .waiting(let waiter): waiter
        default: nil
        }
    }

    // MARK: Returns

    /// Keeps the server, which is attached and clean, at hand while nobody else needs it.
    mutating func park() {
        held = nil
        switch exchange(.none) {
        case .attached(let claim): if let parked = claim.park() { attachment = .parked(parked) }
        default: preconditionFailure("only a server that is attached can be parked")
        }
    }

    /// Gives back what is held, in whatever state it is: the pool has it cleaned where that is needed.
    mutating func release() {
        held = nil
        switch exchange(.none) {
        case .attached(let claim): claim.recycle()
        case .parked(let parked): parked.release()
        case let other: attachment = other
        }
    }

    /// The client goes to the servers of another route, with what it listens to. It holds none.
    mutating func move(to route: Route, with channels: ClientChannels?, of session: ClientSession) {
        self.route.history.hub.move(channels, of: session, to: route)
        leaveQueue()
        release()
        preferredSlot = nil
        self.route = route
    }

    /// The client has gone: its server goes back, and is reset first where the route says so.
    mutating func giveUp() {
        // A server that is parked would keep the client's stage, all that the client had prepared, and what is left in its session.
        if !isAttached { _ = reclaim() }
        if let server {
            if route.definition.resetsOnLeave {
                server.state.requireReset()
            } else if route.definition.cleaningRule.ifTainted {
                server.state.requireReset(of: server.state.taint)
            }
            server.transport.setHandler(nil)
        }
        release()
    }

    /// The server's connection is gone.
    mutating func lose(_ server: PostgresConnection, _ reason: String) {
        server.state.fail(PostgresError(.connection, reason))
        server.transport.close()
        release()
    }

    /// Gives the server back to be closed, without blame for its backend.
    mutating func discard(_ reason: String) {
        held = nil
        switch exchange(.none) {
        case .attached(let claim): claim.discard(reason, blame: false)
        case let other: attachment = other
        }
    }

    /// Leaves the queue, whatever has become of the place in it, and hears nothing more of it.
    mutating func leaveQueue() {
        switch exchange(.none) {
        case .waiting(let waiter): mailbox?.abandon(waiter, in: route.pool)
        case let other: attachment = other
        }
        signal?.callNothing()
        // Another wait has a mailbox of its own: what was left in this one was given back.
        signal = nil
        mailbox = nil
    }

    /// A server was lost before it had confirmed the client's settings: the client's bytes go to another, but not for ever.
    ///
    /// - Throws: what the client is told.
    mutating func countLoss(_ reason: String) throws(SessionEnd) {
        lossesInARow += 1
        if lossesInARow < Self.preparationAttempts { return }
        route.history.errors.count(.serverRead, of: route.key)
        throw .fatal(.connectionFailure, "server connection lost: \(reason)")
    }

    /// A server has confirmed the client's settings.
    mutating func forgetLosses() { lossesInARow = 0 }

    private mutating func exchange(_ new: consuming Attachment) -> Attachment {
        swap(&attachment, &new)
        return new
    }
}
