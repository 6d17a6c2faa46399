// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc

/// Waiting for one stream: its waker and its timer, made once for the life of the connection.
///
/// Used on the thread of the stream's reactor; the stream never moves.
struct Pace: Sendable {
    private let stream: Stream
    private let waker = Waker()
    private let timer: Confined<ReactorTimer>

    init(_ stream: Stream) {
        self.stream = stream
        timer = Confined(stream.reactor.makeTimer(waker))
        stream.waker = waker
    }

    /// The point on the reactor's clock after so much time; never for nil.
    static func deadline(after timeout: Duration?) -> UInt64 {
        guard let timeout else { return .max }
        let (seconds, attoseconds) = timeout.components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if overflow { return seconds < 0 ? 0 : .max }
        let nanoseconds = max(0, product &+ attoseconds / 1_000_000_000)
        let (deadline, late) = Reactor.now.addingReportingOverflow(UInt64(nanoseconds))
        return late ? .max : deadline
    }

    /// Throws when there is no reason to go on.
    func check(_ verb: StaticString, _ peer: TCPConnection) throws(SystemError) {
        if stream.isClosed { throw SystemError(code: ECONNABORTED, operation: "\(verb) \(peer)") }
        if Task.isCancelled { throw SystemError(code: ECANCELED, operation: "\(verb) \(peer)") }
    }

    /// Suspends until the socket has news, the deadline passed, the task was cancelled or the stream closed.
    ///
    /// - Throws: `ETIMEDOUT` for the deadline.
    func wait(until deadline: UInt64, _ verb: StaticString, _ peer: TCPConnection) async throws(SystemError) {
        let reactor = stream.reactor
        if deadline != .max { reactor.arm(timer.value, at: deadline) }
        defer { if deadline != .max { reactor.disarm(timer.value) } }
        await withTaskCancellationHandler {
            if !Task.isCancelled { await waker.wait() }
        } onCancel: { [waker] in
            reactor.wake(waker)
        }
        if deadline != .max, Reactor.now >= deadline {
            throw SystemError(code: ETIMEDOUT, operation: "\(verb) \(peer)")
        }
    }

    /// Ends a wait.
    func interrupt() { waker.wake() }
}
