// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
public import CaromReactor
import Glibc
import Synchronization

/// A byte stream to one backend, made by ``TCPConnector`` and lent by a pool.
///
/// It belongs to whoever holds its claim. All work is done on the thread of its reactor, whatever task asks. One
/// call at a time: a second read or write beside a waiting one is a mistake of the caller's and traps.
///
/// A cancelled or timed-out call ends with `ECANCELED` or `ETIMEDOUT`. How much of a write was sent by then is unknown, and
/// an answer may come later: a connection is spoilt as soon as a call on it has failed, and a pool does not lend it again.
public final class TCPConnection: Sendable, CustomStringConvertible {
    /// Which backend it leads to.
    public let backend: Backend
    let transport: Transport
    private let waker = Waker()
    /// What was read behind the end of a line, for the next read.
    private let ahead = UnsafeSingleOwner<[UInt8]>([])
    private let spoilt = Atomic<Bool>(false)

    /// On the reactor's thread.
    init(transport: Transport, backend: Backend) {
        self.transport = transport
        self.backend = backend
        transport.setHandler(waker)
    }

    /// Connects outside any pool.
    ///
    /// - Parameters:
    ///   - backend: where to.
    ///   - reactor: where the connection will live; it must have been started.
    ///   - timeout: the longest attempt; nil leaves it to the kernel.
    ///   - options: of the socket.
    /// - Throws: `SystemError`, for example `ECONNREFUSED` or `ETIMEDOUT`.
    @concurrent public static func connect(
        to backend: Backend, on reactor: Reactor, timeout: Duration? = nil, options: TCPOptions = TCPOptions()
    ) async throws(SystemError) -> TCPConnection {
        let deadline = Deadline.after(timeout)
        return try await withTaskExecutorPreference(reactor) { () async throws(SystemError) in
            let transport = try await Transport.connect(
                to: SocketAddress(backend.address), on: reactor, deadline: deadline, options: options)
            return TCPConnection(transport: transport, backend: backend)
        }
    }

    /// The backend's name and address.
    public var description: String { backend.id.description }

    /// Reads what is there, waiting for at least one byte; empty once the peer has ended its side.
    ///
    /// - Parameters:
    ///   - limit: the most to read, at least 1.
    ///   - timeout: the longest wait; nil waits for ever.
    /// - Throws: `SystemError`: `ETIMEDOUT`, `ECANCELED`, or what the kernel says, such as `ECONNRESET`.
    @concurrent public func read(upTo limit: Int, timeout: Duration? = nil) async throws(SystemError)
        -> [UInt8]
    {
        precondition(limit > 0, "a read needs room for a byte")
        return try await onReactor { () async throws(SystemError) in
            try await self.take(limit, by: Deadline.after(timeout))
        }
    }

    /// Reads exactly so many bytes.
    ///
    /// - Parameters:
    ///   - count: how many; 0 reads nothing.
    ///   - timeout: the longest wait for all of them; nil waits for ever.
    /// - Throws: `SystemError` as ``read(upTo:timeout:)`` does, and `ECONNRESET` if the peer ends its side too early.
    @concurrent public func read(exactly count: Int, timeout: Duration? = nil) async throws(SystemError)
        -> [UInt8]
    {
        precondition(count >= 0, "the number of bytes to read is negative")
        return try await onReactor { () async throws(SystemError) in
            let deadline = Deadline.after(timeout)
            var bytes: [UInt8] = []
            while bytes.count < count {
                let piece = try await self.take(count - bytes.count, by: deadline)
                if piece.isEmpty { throw SystemError(code: ECONNRESET, operation: "read from \(self)") }
                if bytes.isEmpty { bytes = piece } else { bytes += piece }
            }
            return bytes
        }
    }

    /// Reads up to the next such byte, which is the last one of the answer.
    ///
    /// What came behind it is kept for the next read.
    ///
    /// - Parameters:
    ///   - delimiter: where to stop.
    ///   - limit: the most bytes to take for one answer.
    ///   - timeout: the longest wait for all of it; nil waits for ever.
    /// - Throws: `SystemError` as ``read(exactly:timeout:)`` does, and `EMSGSIZE` if the byte is not among the first `limit`.
    @concurrent public func read(
        through delimiter: UInt8, limit: Int = 65_536, timeout: Duration? = nil
    ) async throws(SystemError) -> [UInt8] {
        precondition(limit > 0, "a read needs room for a byte")
        return try await onReactor { () async throws(SystemError) in
            try await self.take(through: delimiter, limit, by: Deadline.after(timeout))
        }
    }

    /// Reads a line, which ends with LF or CR LF; neither is a part of the answer.
    ///
    /// - Parameters:
    ///   - limit: the most bytes to take for one line.
    ///   - timeout: the longest wait for all of it; nil waits for ever.
    /// - Throws: `SystemError` as ``read(through:limit:timeout:)`` does.
    @concurrent public func readLine(limit: Int = 65_536, timeout: Duration? = nil) async throws(SystemError)
        -> String
    {
        var bytes = try await read(through: UInt8(ascii: "\n"), limit: limit, timeout: timeout)
        bytes.removeLast()
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Writes all of `bytes`, waiting for the socket to take them.
    ///
    /// - Parameters:
    ///   - bytes: what to send.
    ///   - timeout: the longest wait for all of them; nil waits for ever.
    /// - Throws: `SystemError`: `ETIMEDOUT`, `ECANCELED`, or what the kernel says, such as `EPIPE`.
    @concurrent public func write(_ bytes: [UInt8], timeout: Duration? = nil) async throws(SystemError) {
        try await onReactor { () async throws(SystemError) in
            try await self.put(bytes, by: Deadline.after(timeout))
        }
    }

    /// A call has failed on it, or somebody has said so: what is read next may belong to an earlier question.
    public var isSpoilt: Bool { spoilt.load(ordering: .relaxed) }

    /// Says that the connection is in no state to be used again, for a user who leaves in the middle of an exchange.
    public func spoil() { spoilt.store(true, ordering: .relaxed) }

    /// Closes the socket, from any thread. A call that waits on it ends with `ECONNABORTED`. A second close does nothing.
    @concurrent public func close() async {
        await withTaskExecutorPreference(transport.reactor) {
            self.transport.close(notify: true)
        }
    }

    /// Runs a call where the socket lives. One that fails spoils the connection.
    private func onReactor<Answer: Sendable>(
        _ call: sending @isolated(any) () async throws(SystemError) -> Answer
    ) async throws(SystemError) -> Answer {
        do {
            return try await withTaskExecutorPreference(transport.reactor, operation: call)
        } catch {
            spoil()
            throw error
        }
    }

    // MARK: On the reactor's thread

    /// Whether something was read that nobody has asked for yet.
    var hasReadAhead: Bool { !ahead.value.isEmpty }

    private func take(through delimiter: UInt8, _ limit: Int, by deadline: Deadline) async throws(SystemError)
        -> [UInt8]
    {
        var found: [UInt8] = []
        while true {
            let piece = try await take(4096, by: deadline)
            if piece.isEmpty { throw SystemError(code: ECONNRESET, operation: "read from \(self)") }
            let end = piece.firstIndex(of: delimiter)
            found += piece[...(end ?? piece.count - 1)]
            if let end { ahead.value.insert(contentsOf: piece[(end + 1)...], at: 0) }
            if found.count > limit {
                throw SystemError(code: EMSGSIZE, operation: "find the end of what \(self) says")
            }
            if end != nil { return found }
        }
    }

    private func take(_ limit: Int, by deadline: Deadline) async throws(SystemError) -> [UInt8] {
        while true {
            try check("read from")
            if hasReadAhead {
                let bytes = Array(ahead.value.prefix(limit))
                ahead.value.removeFirst(bytes.count)
                return bytes
            }
            var outcome = ReadOutcome.end
            let size = min(limit, 65_536)
            let bytes = try [UInt8](capacity: size) { (room) throws(SystemError) in
                outcome = try transport.read(into: room)
                return if case .bytes(let count) = outcome { count } else { 0 }
            }
            if outcome != .wouldBlock { return bytes }
            try await wait(until: deadline, "read from")
        }
    }

    private func put(_ bytes: [UInt8], by deadline: Deadline) async throws(SystemError) {
        var sent = 0
        while sent < bytes.count {
            try check("write to")
            let outcome = try bytes.span.bytes.withUnsafeBytes { (raw) throws(SystemError) in
                try transport.write(UnsafeRawBufferPointer(rebasing: raw[sent...]))
            }
            switch outcome {
            case .bytes(let count): sent += count
            case .wouldBlock: try await wait(until: deadline, "write to")
            }
        }
    }

    /// Throws when there is no reason to go on.
    private func check(_ verb: StaticString) throws(SystemError) {
        if transport.isClosed { throw SystemError(code: ECONNABORTED, operation: "\(verb) \(self)") }
        if Task.isCancelled { throw SystemError(code: ECANCELED, operation: "\(verb) \(self)") }
    }

    /// Suspends until the socket has news or was closed.
    ///
    /// - Throws: `ETIMEDOUT` for the deadline, `ECANCELED` for a cancelled task.
    private func wait(until deadline: Deadline, _ verb: StaticString) async throws(SystemError) {
        switch await transport.reactor.wait(for: waker, until: deadline) {
        case .signaled: return
        case .timedOut: throw SystemError(code: ETIMEDOUT, operation: "\(verb) \(self)")
        case .cancelled: throw SystemError(code: ECANCELED, operation: "\(verb) \(self)")
        }
    }
}

extension [UInt8] {
    /// An array of what `fill` wrote, without clearing the room first.
    fileprivate init(
        capacity: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(SystemError) -> Int
    ) throws(SystemError) {
        var failure: SystemError?
        self.init(unsafeUninitializedCapacity: capacity) { (buffer, count) in
            do throws(SystemError) {
                count = try fill(UnsafeMutableRawBufferPointer(buffer))
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }
}
