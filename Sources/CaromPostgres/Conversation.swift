// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
package import CaromReactor
package import CaromTCP
import Glibc

/// One whole message from a server.
package struct ServerMessage: Sendable {
    /// Its type byte.
    package let tag: UInt8
    /// What comes after the length word.
    package let body: [UInt8]
}

/// Whole messages to and from one server, for the times when nobody relays: login, check, reset and the client API.
///
/// It lives for one exchange, on the thread of the transport's reactor, and has one deadline. Cancelling the task ends a
/// wait at once. After any error the connection is of no further use.
package final class Conversation {
    let transport: Transport
    private let waker: Waker
    /// When it ends at the latest.
    let deadline: Deadline
    /// When the next wait ends at the latest: ``deadline``, or earlier.
    private var limit: Deadline
    let session: ServerSession

    /// The longest message that is taken in whole: nothing that a login or a check brings comes near.
    static let largest = 1 << 20

    /// - Parameter waker: ends a wait when somebody else wakes it, too.
    package init(
        _ transport: Transport, _ session: ServerSession, deadline: Deadline, waker: Waker = Waker()
    ) {
        self.waker = waker
        self.transport = transport
        self.session = session
        self.deadline = deadline
        limit = deadline
        transport.setHandler(waker)
    }

    /// Ends the exchange: the transport wakes nobody from now on.
    package func end() { transport.setHandler(nil) }

    /// Ends the next wait at `time` at the latest, with the code `timedOut`; ``Deadline/never`` goes back to the deadline.
    ///
    /// After that error, unlike others, the exchange may go on until its deadline.
    func pause(at time: Deadline) { limit = min(time, deadline) }

    /// Sends `bytes`, waiting for the socket to take them all.
    ///
    /// - Parameter isTrusted: what the server says may be believed; in the open, before TLS, anybody may have said it.
    /// - Throws: ``PostgresError``; of a server that has hung up, what it said before that.
    package func send(_ bytes: [UInt8], isTrusted: Bool = true) async throws(PostgresError) {
        session.output.append(bytes)
        try flush(isTrusted: isTrusted)
        while !session.output.isEmpty {
            try await pauseForServer("to take what it was sent")
            try flush(isTrusted: isTrusted)
        }
    }

    /// Writes what waits, as far as the socket takes it, without waiting.
    func flush(isTrusted: Bool = true) throws(PostgresError) {
        do throws(SystemError) {
            try session.output.flush(to: transport)
        } catch {
            throw isTrusted ? reason(for: error) : PostgresError(error)
        }
    }

    /// Why a write has failed. A server that hangs up says why first, in an alert or an error, and nobody has read that yet.
    private func reason(for failure: SystemError) -> PostgresError {
        var failure = failure
        transport.expectBytes()
        do throws(SystemError) {
            while try readNow() {}
        } catch {
            if error.isOfTLS { failure = error }
        }
        if session.state.isInsideReply { return PostgresError(failure) }
        let unread = session.state.unread
        var position = 0
        while case .frame(let header) = Framing.next(in: unread.span.bytes, at: position),
            unread.count - position >= header.length
        {
            let body = (position + Framing.headerSize)..<(position + header.length)
            position = body.upperBound
            guard header.tag == BackendTag.errorResponse.rawValue else { continue }
            let fields = ErrorFields(body: unread.span.bytes.extracting(body))
            // Others are answers to what was sent before.
            if fields.isFatal { return PostgresError(fields) }
        }
        return PostgresError(failure)
    }

    /// The next message, whatever its type.
    package func receive() async throws(PostgresError) -> ServerMessage {
        try await receive(limit: Self.largest)
    }

    /// The next message, of at most so many bytes.
    func receive(limit: Int) async throws(PostgresError) -> ServerMessage {
        while true {
            if let message = try takeMessage(limit: limit) { return message }
            try await fill()
        }
    }

    /// Exactly one byte, for the answer to a request for encryption.
    package func receiveByte() async throws(PostgresError) -> UInt8 {
        while session.state.unread.isEmpty { try await fill() }
        return session.state.unread.removeFirst()
    }

    /// Reads at least one byte more.
    func fill() async throws(PostgresError) {
        do throws(SystemError) {
            try await read()
        } catch {
            throw PostgresError(error)
        }
    }

    /// Suspends until the server may have said something, or taken something.
    func pauseForServer(_ what: String) async throws(PostgresError) {
        do throws(SystemError) {
            try await wait(what)
        } catch {
            throw PostgresError(error)
        }
    }

    /// The next message, if it is here as a whole.
    func takeMessage(limit: Int) throws(PostgresError) -> ServerMessage? {
        let input = session.state.unread
        switch Framing.next(in: input.span.bytes, limit: limit) {
        case .needMore: return nil
        case .invalid(let error):
            throw PostgresError(.protocolViolation, "server \(transport.peer): \(error)")
        case .frame(let header):
            guard input.count >= header.length else { return nil }
            let message = ServerMessage(
                tag: header.tag, body: Array(input[Framing.headerSize..<header.length]))
            session.state.unread.removeFirst(header.length)
            return message
        }
    }

    /// Reads what is here, without waiting.
    ///
    /// - Returns: whether that was anything.
    func poll() throws(PostgresError) -> Bool {
        do throws(SystemError) {
            return try readNow()
        } catch {
            throw PostgresError(error)
        }
    }

    private func read() async throws(SystemError) {
        while try !readNow() { try await wait("to answer") }
    }

    private func readNow() throws(SystemError) -> Bool {
        let outcome = try withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) {
            (buffer) throws(SystemError) in
            let outcome = try transport.read(into: buffer)
            if case .bytes(let count) = outcome {
                session.state.unread.append(
                    contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            }
            return outcome
        }
        switch outcome {
        case .bytes: return true
        case .end: throw SystemError(code: ECONNRESET, operation: "read from \(transport.peer)")
        case .wouldBlock: return false
        }
    }

    private func wait(_ what: String) async throws(SystemError) {
        let wake = await transport.reactor.wait(for: waker, until: limit)
        let code: Int32
        switch wake {
        case _ where transport.isClosed: code = ECONNABORTED
        case .signaled: return
        case .cancelled: code = ECANCELED
        case .timedOut: code = ETIMEDOUT
        }
        throw SystemError(code: code, operation: "waiting for \(transport.peer) \(what)")
    }
}

extension PostgresError {
    /// A failed system call as a failure of the connection.
    package init(_ error: SystemError) {
        let code: Code =
            switch error.code {
            case ETIMEDOUT: .timedOut
            case ECANCELED: .cancelled
            case EMFILE, ENFILE, ENOBUFS, ENOMEM, ENOSPC, EADDRNOTAVAIL: .resources
            default: .connection
            }
        let cause = error.code == EMFILE ? " (this process's own limit, ulimit -n)" : ""
        self.init(code, error.description + cause)
    }
}
