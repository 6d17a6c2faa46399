// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// What came of reading without waiting.
public enum ReadOutcome: Equatable, Sendable {
    /// This many bytes were read, at least one.
    case bytes(Int)
    /// Nothing is there now; the stream's waker is woken when something is.
    case wouldBlock
    /// The peer has ended its side.
    case end
}

/// What came of writing without waiting.
public enum WriteOutcome: Equatable, Sendable {
    /// This many bytes were taken, at least one.
    case bytes(Int)
    /// Nothing is taken now; the stream's waker is woken when something may be.
    case wouldBlock
}

/// A connected stream socket, TCP or Unix, registered edge-triggered and once with the reactor it lives on.
///
/// Reads and writes never wait. Whoever uses the stream tries, and waits on its ``waker`` when told
/// ``ReadOutcome/wouldBlock``. A read that fills less than the buffer has emptied the socket, and is remembered
/// as such: no second call is made to hear so.
///
/// A stream is used on its reactor's thread. It may be handed to another reactor with ``move(to:waker:)``, by
/// whoever owns it, provided its waker was taken away on the old thread before.
public final class Stream: @unchecked Sendable {
    // Unchecked: one owner at a time; ownership passes through a hand-over that synchronises (a pool's lock, a task's start).

    // Read on every call, changed only by a move or the end: no access can overlap another.
    @exclusivity(unchecked) private var descriptor: Int32
    @exclusivity(unchecked) private var registration: Registration
    private var key: UInt64
    /// The reactor whose thread may use the stream.
    public private(set) var reactor: Reactor
    /// Where the other end is.
    public let peer: SocketAddress

    /// Takes a connected, non-blocking descriptor. It is closed here in any case, also when this throws.
    ///
    /// - Throws: ``SystemError`` when epoll does not take the descriptor.
    public init(adopting descriptor: Int32, peer: SocketAddress, on reactor: Reactor, waker: Waker?)
        throws(SystemError)
    {
        let registration = Registration(descriptor: descriptor, waker: waker)
        do {
            key = try reactor.register(registration)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.registration = registration
        self.reactor = reactor
        self.peer = peer
    }

    deinit { close() }

    /// Who is woken when the stream becomes readable or writable; `nil` while nobody uses it.
    public var waker: Waker? {
        get { registration.waker }
        set { registration.waker = newValue }
    }

    /// Whether a read is worth a try.
    public var isReadable: Bool { registration.isReadable }

    /// Whether a write is worth a try.
    public var isWritable: Bool { registration.isWritable }

    /// Whether the peer has ended its side or the socket failed; there may still be bytes to read.
    public var isHungUp: Bool { registration.isHungUp }

    /// Whether ``close()`` was called.
    public var isClosed: Bool { descriptor < 0 }

    // MARK: Bytes

    /// Reads what is there, up to the size of `buffer`, without waiting.
    ///
    /// - Throws: ``SystemError`` when the connection failed, for example `ECONNRESET`.
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> ReadOutcome {
        assert(reactor.isCurrent, "a stream belongs to its reactor's thread")
        guard registration.isReadable else { return .wouldBlock }
        while true {
            let count = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if count > 0 {
                // A short read has emptied the socket. What arrives later makes a new edge, except for an end of
                // stream that is already there: that keeps the stream readable.
                if count < buffer.count, !registration.isHungUp { registration.isReadable = false }
                return .bytes(count)
            }
            if count == 0 { return .end }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                registration.isReadable = false
                return .wouldBlock
            default: throw SystemError.last("read from \(peer)")
            }
        }
    }

    /// Writes as much of `bytes` as the socket takes, without waiting.
    ///
    /// - Throws: ``SystemError`` when the connection failed, for example `EPIPE`.
    public func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> WriteOutcome {
        assert(reactor.isCurrent, "a stream belongs to its reactor's thread")
        while true {
            let count = send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            if count >= 0 {
                if count < bytes.count { registration.isWritable = false }
                return .bytes(count)
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                registration.isWritable = false
                return .wouldBlock
            default: throw SystemError.last("write to \(peer)")
            }
        }
    }

    /// Writes `first` and then `second` in one system call.
    ///
    /// - Throws: ``SystemError`` when the connection failed.
    public func write(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer)
        throws(SystemError) -> WriteOutcome
    {
        let total = first.count + second.count
        while true {
            let count = withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
                parts[0] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count)
                parts[1] = iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress), iov_len: second.count)
                var message = msghdr()
                message.msg_iov = parts.baseAddress
                message.msg_iovlen = 2
                return sendmsg(descriptor, &message, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                if count < total { registration.isWritable = false }
                return .bytes(count)
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                registration.isWritable = false
                return .wouldBlock
            default: throw SystemError.last("write to \(peer)")
            }
        }
    }

    /// Asks the kernel whether the peer is still there and silent: one call that takes nothing off the socket.
    ///
    /// For a connection that lay idle: neither an end of stream nor unexpected bytes may be waiting.
    public func isQuiet() -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, Int32(MSG_PEEK | MSG_DONTWAIT))
        return count < 0 && errno == EAGAIN
    }

    // MARK: Life

    /// Moves the stream to another reactor; call it on the new reactor's thread.
    ///
    /// - Throws: ``SystemError`` when the new epoll does not take it; the stream is closed then.
    public func move(to target: Reactor, waker: Waker?) throws(SystemError) {
        guard target !== reactor else {
            registration.waker = waker
            return
        }
        epoll_ctl(reactor.epoll, EPOLL_CTL_DEL, descriptor, nil)
        reactor.unseat(key)
        let registration = Registration(descriptor: descriptor, waker: waker)
        do {
            key = try target.register(registration)
        } catch {
            Glibc.close(descriptor)
            descriptor = -1
            throw error
        }
        self.registration = registration
        reactor = target
    }

    /// Tells the peer that no more bytes will come; reading goes on.
    public func shutdownWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes the socket; a second call does nothing.
    public func close() {
        guard descriptor >= 0 else { return }
        reactor.unseat(key)
        Glibc.close(descriptor)
        descriptor = -1
    }

    /// Closes the socket at once with a reset instead of an orderly end, dropping what was not yet sent.
    public func abort() {
        guard descriptor >= 0 else { return }
        var linger = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<linger>.size))
        close()
    }

    /// Sets what the kernel should do with a TCP connection; does nothing on a Unix socket.
    public func apply(_ options: TCPOptions) {
        if case .unix = peer.kind { return }
        options.apply(to: descriptor)
    }

    /// The error that an attempt to connect ended with, if it did.
    func takeError(_ operation: String) -> SystemError? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code == 0 ? nil : SystemError(code: code, operation: operation)
    }

    /// The local end's address.
    public var local: SocketAddress {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &length)
            }
        }
        return SocketAddress(storage)
    }
}
