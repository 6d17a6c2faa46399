// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
public import CaromReactor
import CaromTLS
import Glibc

/// What came of reading without waiting.
public enum ReadOutcome: Equatable, Sendable {
    /// This many bytes were read, at least one.
    case bytes(Int)
    /// Nothing is there now; the handler is called when something is.
    case wouldBlock
    /// The peer has ended its side.
    case end
}

/// What came of writing without waiting.
public enum WriteOutcome: Equatable, Sendable {
    /// This many bytes were taken, at least one.
    case bytes(Int)
    /// Nothing is taken now; the handler is called when something may be.
    case wouldBlock
}

/// A connection as a stream of bytes, over TCP or a Unix socket, on one reactor: the only thing above the reactor that touches
/// the socket.
///
/// Reads and writes never wait. Its user tries, and goes on when the handler is called (see ``setHandler(_:token:)``) after
/// it was told ``ReadOutcome/wouldBlock``. A read that fills less than the buffer has emptied the socket, and is remembered
/// as such: no second call is made to hear so.
///
/// The layer is plain until `startTLS` puts TLS between the socket and its user; the calls stay the same. Over TLS, bytes that
/// a write did not take must be offered again before any others, with more behind them or not, as a stream wants it anyway.
///
/// A transport is used on its reactor's thread. Its owner may take it to another reactor with ``move(to:handler:token:)``.
public final class Transport: @unchecked Sendable {
    // Unchecked: one owner at a time; ownership passes through a hand-over that synchronizes (a pool's lock, a task's start).

    // Read on every call, changed only by a move or the end: no access can overlap another.
    @exclusivity(unchecked) private var registration: Registration
    /// The reactor whose thread may use the transport.
    @exclusivity(unchecked) public private(set) var reactor: Reactor
    /// TLS over the socket; nil while the layer is plain.
    @exclusivity(unchecked) var tls: TLSLayer?
    /// Where the other end is; of a proxy, whom it speaks for, once somebody has set that.
    @exclusivity(unchecked) public package(set) var peer: SocketAddress
    /// Asked once a message, and so without a copy of ``peer``. It and the descriptor have their room in what that leaves of a word.
    private let isUnix: Bool
    @exclusivity(unchecked) private var descriptor: Int32

    /// Takes a connected, non-blocking descriptor. It is closed here in any case, also when this throws.
    ///
    /// Call it on the reactor's thread. The socket counts as writable at once, and as readable when it turns out to be.
    ///
    /// - Throws: `SystemError` when epoll does not take the descriptor.
    public convenience init(
        adopting descriptor: Int32, peer: SocketAddress, on reactor: Reactor,
        handler: (any EventHandler)? = nil, token: Int = 0
    ) throws(SystemError) {
        try self.init(descriptor, peer, reactor, handler, token, connecting: false)
    }

    init(
        _ descriptor: Int32, _ peer: SocketAddress, _ reactor: Reactor, _ handler: (any EventHandler)?,
        _ token: Int, connecting: Bool
    ) throws(SystemError) {
        do {
            registration = try reactor.register(
                descriptor, handler: handler, token: token, connecting: connecting)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        isUnix = peer.isUnix
        self.reactor = reactor
        self.peer = peer
    }

    /// Connects without blocking the thread.
    ///
    /// Call it on the reactor's thread. Cancelling the task ends the attempt with `ECANCELED`.
    ///
    /// - Parameters:
    ///   - address: where to.
    ///   - reactor: where the transport will live.
    ///   - deadline: when to give up; then the error is `ETIMEDOUT`.
    ///   - options: of the socket.
    /// - Returns: a transport without a handler.
    /// - Throws: `SystemError` as the kernel reports it, for example `ECONNREFUSED`.
    public static func connect(
        to address: SocketAddress, on reactor: Reactor, deadline: Deadline = .never,
        options: TCPOptions = TCPOptions()
    ) async throws(SystemError) -> Transport {
        try await ConnectAttempt(address, on: reactor).run(until: deadline, options)
    }

    deinit {
        // Without an owner there is no telling on which thread this is, so the peer is told nothing.
        tls = nil
        close()
    }

    // MARK: Events

    /// Says what is called when the transport becomes readable or writable, or its peer hangs up; nil for nothing.
    ///
    /// The transport keeps the handler until it is closed, moved or given another one. Events of the past are not told
    /// again: look at ``isReadable`` and ``isWritable``.
    public func setHandler(_ handler: (any EventHandler)?, token: Int = 0) {
        guard !isClosed else { return }
        registration.setHandler(handler, token: token)
    }

    /// Whether something is called when there is news.
    public var hasHandler: Bool { registration.hasHandler }

    /// Whether a read is worth a try.
    public var isReadable: Bool {
        if registration.isReadable { return true }
        guard let tls else { return false }
        return tls.mayHoldBytes
    }

    /// Whether a read of the socket itself is.
    var isSocketReadable: Bool { registration.isReadable }

    /// Whether a write is worth a try.
    public var isWritable: Bool { registration.isWritable }

    /// Whether the peer has ended its side or the socket failed; there may still be bytes to read.
    public var isHungUp: Bool { registration.isHungUp }

    /// Whether the transport was closed.
    public var isClosed: Bool { descriptor < 0 }

    /// Its number in the process.
    var openDescriptor: Int32? { isClosed ? nil : descriptor }

    /// Makes the next read try at once, without waiting for epoll's word: for a connection whose peer speaks first.
    public func expectBytes() { registration.isReadable = true }

    // MARK: Bytes

    /// Reads what is there, up to the size of `buffer`, without waiting.
    ///
    /// - Throws: `SystemError` when the connection failed, for example `ECONNRESET`.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> ReadOutcome {
        assert(reactor.isCurrent, "a transport belongs to its reactor's thread")
        if let tls { return try tls.read(into: buffer) }
        return try readSocket(into: buffer)
    }

    func readSocket(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> ReadOutcome {
        guard registration.isReadable else { return .wouldBlock }
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 {
                // A short read has emptied the socket. What arrives later makes a new edge, except for an end of
                // stream that is already there: that keeps the transport readable.
                if count < buffer.count, !registration.isHungUp { registration.isReadable = false }
                return .bytes(count)
            }
            if count == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                registration.isReadable = false
                return .wouldBlock
            default: throw failure("read from")
            }
        }
    }

    /// Writes as much of `bytes` as the socket takes, without waiting.
    ///
    /// - Throws: `SystemError` when the connection failed, for example `EPIPE`.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> WriteOutcome {
        assert(reactor.isCurrent, "a transport belongs to its reactor's thread")
        if let tls { return try tls.write(bytes) }
        return try writeSocket(bytes)
    }

    func writeSocket(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> WriteOutcome {
        while true {
            let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if count >= 0 {
                noteTaken(all: count == bytes.count)
                return .bytes(count)
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                noteTaken(all: false)
                return .wouldBlock
            default: throw failure("write to")
            }
        }
    }

    /// Writes the pieces in their order, as far as the socket takes them, in one system call (one for each 1024 of them).
    ///
    /// - Returns: how many bytes were taken, counted over all pieces. Nothing to write is `.bytes(0)`.
    /// - Throws: `SystemError` when the connection failed, for example `EPIPE`.
    public func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>) throws(SystemError)
        -> WriteOutcome
    {
        assert(reactor.isCurrent, "a transport belongs to its reactor's thread")
        if let tls { return try tls.write(pieces) }
        var taken = 0
        var rest = pieces
        while !rest.isEmpty {
            let batch = UnsafeBufferPointer(rebasing: rest.prefix(Self.piecesPerCall))
            guard case .bytes(let count) = try writeBatch(batch) else {
                return taken == 0 ? .wouldBlock : .bytes(taken)
            }
            taken += count
            if !isWritable { break }
            rest = UnsafeBufferPointer(rebasing: rest.dropFirst(batch.count))
        }
        return .bytes(taken)
    }

    /// The most pieces that the kernel takes in one call (`IOV_MAX`).
    private static let piecesPerCall = 1024

    private func writeBatch(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>) throws(SystemError)
        -> WriteOutcome
    {
        try withUnsafeTemporaryAllocation(of: iovec.self, capacity: pieces.count) {
            (vectors) throws(SystemError) in
            var total = 0
            for index in 0..<pieces.count {
                let piece = pieces[index]
                total += piece.count
                vectors[index].iov_base = UnsafeMutableRawPointer(mutating: piece.baseAddress)
                vectors[index].iov_len = piece.count
            }
            return try send(vectors, total)
        }
    }

    private func send(_ vectors: UnsafeMutableBufferPointer<iovec>, _ total: Int) throws(SystemError)
        -> WriteOutcome
    {
        var message = msghdr()
        message.msg_iov = vectors.baseAddress
        message.msg_iovlen = vectors.count
        while true {
            let count = sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
            if count >= 0 {
                noteTaken(all: count == total)
                return .bytes(count)
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                noteTaken(all: false)
                return .wouldBlock
            default: throw failure("write to")
            }
        }
    }

    /// Has epoll watch for room after a write that was not taken whole, and no longer after one that was.
    @inline(__always)
    private func noteTaken(all: Bool) {
        if all {
            if registration.watchesWrites { stopWatchingWrites() }
        } else {
            registration.isWritable = false
            if !registration.watchesWrites { reactor.watchWrites(true, of: descriptor, registration) }
        }
    }

    @inline(never)
    private func stopWatchingWrites() {
        // A TCP socket tells of room only after it has run out of it, so watching on costs nothing and saves two calls the
        // next time. A Unix socket tells of it each time its peer reads.
        guard isUnix else { return }
        reactor.watchWrites(false, of: descriptor, registration)
    }

    @inline(never)
    private func failure(_ verb: String) -> SystemError {
        let code = errno
        return SystemError(code: code, operation: "\(verb) \(peer)")
    }

    /// Asks the kernel whether the peer is still there and silent, in one call that takes nothing off the socket: on a connection that
    /// lay idle neither an end of stream nor unexpected bytes may be waiting.
    public func isQuiet() -> Bool {
        if let tls, tls.hasBuffered { return false }
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count < 0 && errno == EAGAIN
    }

    /// Neither an end of stream nor bytes have come while nobody used the connection. What epoll said tells most of the time; a
    /// peek is needed only where a read that just filled its room has left the mark of more.
    public var isUndisturbed: Bool { !isClosed && !isHungUp && (!isReadable || isQuiet()) }

    // MARK: Life

    /// Takes the transport to another reactor, with a new handler; call it on the new reactor's thread.
    ///
    /// The old handler may still be called for events that were under way; from then on the transport is not its to touch.
    ///
    /// - Throws: `SystemError` when the new epoll does not take it; the transport is closed then.
    public func move(to target: Reactor, handler: (any EventHandler)?, token: Int = 0) throws(SystemError) {
        if target === reactor { return setHandler(handler, token: token) }
        guard !isClosed else { return }
        reactor.deregister(registration, of: descriptor)
        do {
            registration = try target.register(descriptor, handler: handler, token: token)
        } catch {
            Glibc.close(descriptor)
            descriptor = -1
            registration = .closed
            throw error
        }
        reactor = target
    }

    /// Tells the peer that no more bytes will come; reading goes on.
    public func shutdownWriting() {
        tls?.sendClosingAlert()
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Closes the socket and lets go of the handler; a second call does nothing.
    ///
    /// - Parameter notify: call the handler once more, later in the turn: others than the closer may wait for the transport.
    public func close(notify: Bool = false) {
        if let descriptor = release(notify: notify) { Glibc.close(descriptor) }
    }

    /// As ``close(notify:)``, but for the socket, which is the caller's from now on. Nil: it was closed before.
    func release(notify: Bool, staysOpen: Bool = false) -> Int32? {
        guard descriptor >= 0 else { return nil }
        // An orderly end, if the socket takes it.
        tls?.sendClosingAlert()
        tls = nil
        if notify, let handler = registration.handler { reactor.again(handler, token: registration.token) }
        let registration = registration
        self.registration = .closed
        // Forgotten before it is closed: from then on the number may be another socket's.
        let descriptor = descriptor
        self.descriptor = -1
        reactor.deregister(registration, of: staysOpen ? descriptor : nil)
        return descriptor
    }

    /// Closes the socket at once with a reset instead of an orderly end, dropping what was not yet sent.
    public func abort() {
        guard descriptor >= 0 else { return }
        tls = nil
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Sets what the kernel should do with a TCP connection; does nothing on a Unix socket.
    public func apply(_ options: TCPOptions) {
        if peer.isUnix { return }
        options.apply(to: descriptor)
    }

    /// The error that an attempt to connect ended with, if it did, or what broke the connection since this was last asked. It says that
    /// `operation` was tried.
    public func takeError(_ operation: String) -> SystemError? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code == 0 ? nil : SystemError(code: code, operation: operation)
    }

    /// The peer can take nothing any more. Over TCP one that has closed its socket looks, until it is sent something, as one that reads on.
    package var isGone: Bool {
        var look = pollfd(fd: descriptor, events: 0, revents: 0)
        return poll(&look, 1, 0) > 0 && Int32(look.revents) & (POLLHUP | POLLERR | POLLNVAL) != 0
    }

    /// The local end's address.
    public var local: SocketAddress { SocketAddress(localEndOf: descriptor) }

    /// Epoll need not tell of room any more: the attempt to connect is over.
    func finishConnecting() {
        registration.isWritable = true
        stopWatchingWrites()
    }
}
