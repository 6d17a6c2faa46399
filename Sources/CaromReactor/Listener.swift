// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// A listening socket. Connections come out of ``accept()`` as bare descriptors, so that they can be given to any
/// reactor.
///
/// Running out of descriptors does not end it: it rests for a moment and goes on, since the queue of the kernel
/// keeps the callers.
public final class Listener: @unchecked Sendable {
    // Unchecked: used on its reactor's thread; `close()` may be called from there only as well.

    /// A connection that was accepted and belongs to nobody yet.
    public struct Accepted: Sendable {
        /// Non-blocking, close-on-exec.
        public let descriptor: Int32
        /// Where it comes from.
        public let peer: SocketAddress
    }

    // Used on one thread, and changed by no call within another: no access can overlap another.
    @exclusivity(unchecked) private var descriptor: Int32
    @exclusivity(unchecked) private var registration: Registration
    private let reactor: Reactor
    private let waker = Waker()
    private let restTimer: ReactorTimer
    @exclusivity(unchecked) private var acceptedInARow = 0
    private let unlinkPath: String?
    /// Another process accepts what comes here.
    @exclusivity(unchecked) private var isResting = false
    /// Where it listens; with the port that the kernel chose when 0 was asked for.
    public let address: SocketAddress
    /// How often accepting had to rest because descriptors or memory had run out.
    public private(set) var exhaustions = 0

    /// How long to rest when descriptors have run out: they come back when some client leaves.
    private static let rest = Duration.milliseconds(100)
    /// Connections that ``accept()`` gives out before it lets the rest of the reactor have a turn: a burst of callers must
    /// not keep those waiting that are already served.
    private static let burst = 32

    /// Binds and listens. Call it on the reactor's thread.
    ///
    /// A Unix socket file left behind by a dead process is replaced; one that still answers is an error.
    ///
    /// - Parameters:
    ///   - address: where to listen; port 0 lets the kernel choose.
    ///   - backlog: callers the kernel keeps waiting.
    ///   - mode: permission bits of a Unix socket.
    ///   - reusePort: other processes that say so, too, may listen there beside this one, and the kernel deals callers out
    ///     (`SO_REUSEPORT`). Means nothing on a Unix socket.
    ///   - tcp: what the accepted connections shall be like. They inherit it from the listening socket, which saves the
    ///     calls that set it for each (Linux; tcp(7)). Means nothing on a Unix socket.
    ///   - deferAccept: TCP connections come out only when the caller has sent something, or after so long (in whole seconds,
    ///     at least one; `TCP_DEFER_ACCEPT`): for protocols in which the caller speaks first. Nil, the default, does not wait.
    ///   - reactor: where callers are accepted.
    /// - Throws: ``SystemError``, for example `EADDRINUSE`.
    public init(
        on address: SocketAddress, backlog: Int32 = 128, mode: UInt32 = 0o777, reusePort: Bool = false,
        tcp: TCPOptions? = nil, deferAccept: Duration? = nil, reactor: Reactor
    ) throws(SystemError) {
        let operation = "listen on \(address)"
        let descriptor = socket(
            address.family, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if descriptor < 0 { throw SystemError.last(operation) }
        var path: String?
        do throws(SystemError) {
            if case .unix(let name) = address.kind {
                try Self.removeStale(name, address)
                path = name
            } else {
                var yes: Int32 = 1
                setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
                if reusePort {
                    setsockopt(
                        descriptor, SOL_SOCKET, SO_REUSEPORT, &yes, socklen_t(MemoryLayout<Int32>.size))
                }
                if address.family == AF_INET6 {
                    setsockopt(
                        descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes,
                        socklen_t(MemoryLayout<Int32>.size))
                }
                tcp?.apply(to: descriptor)
                if let deferAccept { Self.deferAccepting(descriptor, deferAccept) }
            }
            try address.withSockaddr { (pointer, length) throws(SystemError) in
                if bind(descriptor, pointer, length) < 0 { throw SystemError.last(operation) }
            }
            if let path, chmod(path, mode) < 0 { throw SystemError.last("chmod \(path)") }
            if listen(descriptor, backlog) < 0 { throw SystemError.last(operation) }
            registration = try reactor.register(descriptor, handler: waker)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.reactor = reactor
        restTimer = reactor.makeTimer(waker)
        unlinkPath = path
        self.address = path == nil ? SocketAddress(localEndOf: descriptor) : address
    }

    /// Takes over a socket that listens already, which another process has opened. Call it on the reactor's thread.
    ///
    /// - Parameters:
    ///   - ownsFile: the file of a Unix socket is taken away when this listener is closed; otherwise it belongs to whoever made it.
    ///   - isResting: another process accepts until ``goOn()``, and has the file.
    ///   - others: as those of the other initializer.
    /// - Throws: ``SystemError``.
    package init(
        adopting descriptor: Int32, ownsFile: Bool = false, tcp: TCPOptions? = nil,
        deferAccept: Duration? = nil, isResting: Bool = false, reactor: Reactor
    ) throws(SystemError) {
        let address = SocketAddress(localEndOf: descriptor)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        if !address.isUnix {
            tcp?.apply(to: descriptor)
            if let deferAccept { Self.deferAccepting(descriptor, deferAccept) }
        }
        do throws(SystemError) {
            registration = try reactor.register(descriptor, handler: waker)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        self.descriptor = descriptor
        self.reactor = reactor
        restTimer = reactor.makeTimer(waker)
        if ownsFile, case .unix(let path) = address.kind { unlinkPath = path } else { unlinkPath = nil }
        self.address = address
        if isResting { rest() }
    }

    /// Where a descriptor listens; nil if it is no socket that does.
    package static func address(ofListening descriptor: Int32) -> SocketAddress? {
        var isListening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        let result = getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length)
        return result == 0 && isListening != 0 ? SocketAddress(localEndOf: descriptor) : nil
    }

    deinit { close() }

    /// Waits for the next connection; `nil` once the listener is closed.
    ///
    /// - Throws: ``SystemError`` only for failures that would repeat for ever.
    public func accept() async throws(SystemError) -> Accepted? {
        while descriptor >= 0 {
            if acceptedInARow == Self.burst {
                acceptedInARow = 0
                await reactor.nextTurn()
                continue
            }
            if isResting {
                await waker.wait()
                continue
            }
            if registration.isReadable, let accepted = try tryAccept() {
                acceptedInARow += 1
                return accepted
            }
            if !registration.isReadable || restTimer.deadline != .never {
                acceptedInARow = 0
                await waker.wait()
            }
            if restTimer.isDue(at: .now) { reactor.disarm(restTimer) }
        }
        return nil
    }

    private func tryAccept() throws(SystemError) -> Accepted? {
        if restTimer.deadline != .never { return nil }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let accepted = carom_accept(descriptor, &storage, &length)
        if accepted >= 0 { return Accepted(descriptor: accepted, peer: SocketAddress(storage)) }
        switch errno {
        case EAGAIN:
            registration.isReadable = false
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
            exhaustions += 1
            reactor.arm(restTimer, at: .now + Self.rest)
        case EBADF, EINVAL, ENOTSOCK, EOPNOTSUPP:
            throw SystemError.last("accept on \(address)")
        default:
            break  // The caller hung up before we looked, or the network had a hiccup: on to the next.
        }
        return nil
    }

    /// Stops listening; ``accept()`` then returns `nil`. A second call does nothing.
    public func close() {
        guard descriptor >= 0 else { return }
        // Another process may have the socket, too: then epoll does not forget it by itself.
        if !isResting { reactor.deregister(registration, of: descriptor) }
        Glibc.close(descriptor)
        descriptor = -1
        if !isResting, let unlinkPath { unlink(unlinkPath) }
        waker.wake()
    }

    // MARK: Another process

    /// The file of a Unix socket is taken away with this listener.
    package var ownsFile: Bool { unlinkPath != nil }

    /// Another descriptor of the socket, for another process; nil if it is closed, or descriptors have run out.
    package func copy() -> PassedDescriptor? { descriptor < 0 ? nil : PassedDescriptor(copyOf: descriptor) }

    /// Keeps the socket open and accepts nothing, because another process does: callers wait in it until one of the two accepts them.
    package func rest() {
        guard descriptor >= 0, !isResting else { return }
        isResting = true
        reactor.deregister(registration, of: descriptor)
        registration = .closed
        waker.wake()
    }

    /// Accepts again: the other process is gone.
    ///
    /// - Throws: ``SystemError`` when epoll does not take the socket.
    package func goOn() throws(SystemError) {
        guard descriptor >= 0, isResting else { return }
        registration = try reactor.register(descriptor, handler: waker)
        registration.isReadable = true
        isResting = false
        waker.wake()
    }

    private static func deferAccepting(_ descriptor: Int32, _ time: Duration) {
        var seconds = Int32(clamping: max(1, time.components.seconds))
        setsockopt(
            descriptor, Int32(IPPROTO_TCP), TCP_DEFER_ACCEPT, &seconds, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func removeStale(_ path: String, _ address: SocketAddress) throws(SystemError) {
        guard access(path, F_OK) == 0 else { return }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        if probe < 0 { throw SystemError.last("listen on \(path)") }
        defer { Glibc.close(probe) }
        let refused = try address.withSockaddr { (pointer, length) throws(SystemError) in
            Glibc.connect(probe, pointer, length) < 0 && errno == ECONNREFUSED
        }
        if refused {
            unlink(path)
        } else {
            throw SystemError(code: EADDRINUSE, operation: "listen on \(path)")
        }
    }
}
