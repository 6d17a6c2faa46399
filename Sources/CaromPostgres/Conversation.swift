// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
package import CaromReactor
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
/// It lives for one exchange, on the thread of the stream's reactor, and has one deadline. Cancelling the task ends a
/// wait at once. After any error the connection is of no further use.
package final class Conversation {
    private let stream: Stream
    private let waker = Waker()
    private let timer: ReactorTimer
    /// When it ends at the latest, in ``Reactor/now`` nanoseconds.
    let deadline: UInt64
    private let state: Confined<ConnectionState>

    /// The longest message that is taken in whole: nothing that a login or a check brings comes near.
    private let largest: Int

    package init(
        _ stream: Stream, _ state: Confined<ConnectionState>, deadline: UInt64, largest: Int = 1 << 20
    ) {
        self.stream = stream
        self.state = state
        self.deadline = deadline
        self.largest = largest
        timer = stream.reactor.makeTimer(waker)
        stream.waker = waker
        if deadline != .max { stream.reactor.arm(timer, at: deadline) }
    }

    /// Ends the exchange: the stream wakes nobody from now on.
    package func end() {
        stream.reactor.disarm(timer)
        if !stream.isClosed { stream.waker = nil }
    }

    /// Ends the next wait at `time` at the latest, with the code `timedOut`; `UInt64.max` goes back to the deadline.
    ///
    /// After that error, unlike others, the exchange may go on until its deadline.
    func pause(at time: UInt64) {
        let time = min(time, deadline)
        if time == .max { stream.reactor.disarm(timer) } else { stream.reactor.arm(timer, at: time) }
    }

    /// Sends `bytes`, waiting for the socket to take them all.
    package func send(_ bytes: [UInt8]) async throws(PostgresError) {
        do throws(SystemError) {
            state.value.output.append(bytes)
            try state.value.output.flush(to: stream)
            while !state.value.output.isEmpty {
                try await wait("to take what it was sent")
                try state.value.output.flush(to: stream)
            }
        } catch {
            throw PostgresError(error)
        }
    }

    /// The next message, whatever its type.
    package func receive() async throws(PostgresError) -> ServerMessage {
        while true {
            if let message = try takeMessage() { return message }
            try await fill()
        }
    }

    /// Exactly one byte, for the answer to a request for encryption.
    package func receiveByte() async throws(PostgresError) -> UInt8 {
        while state.value.input.isEmpty { try await fill() }
        return state.value.input.removeFirst()
    }

    /// Reads at least one byte more.
    func fill() async throws(PostgresError) {
        do throws(SystemError) {
            try await read()
        } catch {
            throw PostgresError(error)
        }
    }

    private func takeMessage() throws(PostgresError) -> ServerMessage? {
        let input = state.value.input
        switch Framing.next(in: input.span.bytes, limit: largest) {
        case .needMore: return nil
        case .invalid(let error):
            throw PostgresError(.protocolViolation, "server \(stream.peer): \(error)")
        case .frame(let header):
            guard input.count >= header.length else { return nil }
            let message = ServerMessage(
                tag: header.tag, body: Array(input[Framing.headerSize..<header.length]))
            state.value.input.removeFirst(header.length)
            return message
        }
    }

    private func read() async throws(SystemError) {
        while true {
            let outcome = try withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) {
                (buffer) throws(SystemError) in
                let outcome = try stream.read(into: buffer)
                if case .bytes(let count) = outcome {
                    state.value.input.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                }
                return outcome
            }
            switch outcome {
            case .bytes: return
            case .end: throw SystemError(code: ECONNRESET, operation: "read from \(stream.peer)")
            case .wouldBlock: try await wait("to answer")
            }
        }
    }

    private func wait(_ what: String) async throws(SystemError) {
        let reactor = stream.reactor
        await withTaskCancellationHandler {
            if !Task.isCancelled { await waker.wait() }
        } onCancel: { [waker] in
            reactor.wake(waker)
        }
        if stream.isClosed {
            throw SystemError(code: ECONNABORTED, operation: "waiting for \(stream.peer) \(what)")
        }
        if Task.isCancelled {
            throw SystemError(code: ECANCELED, operation: "waiting for \(stream.peer) \(what)")
        }
        if timer.deadline != .max, timer.isDue(at: Reactor.now) {
            throw SystemError(code: ETIMEDOUT, operation: "waiting for \(stream.peer) \(what)")
        }
    }
}

extension PostgresError {
    /// A failed system call as a failure of the connection.
    package init(_ error: SystemError) {
        let code: Code =
            switch error.code {
            case ETIMEDOUT: .timedOut
            case ECANCELED: .cancelled
            default: .connection
            }
        self.init(code, error.description)
    }
}
