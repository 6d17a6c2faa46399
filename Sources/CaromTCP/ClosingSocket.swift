// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromReactor
import Glibc

/// A socket whose transport is closed, and which lives until the peer has ended its side, too.
package struct ClosingSocket {
    // Whoever waits for the old transport is woken and finds it closed, so this is another one.
    private let transport: Transport

    /// Closes the transport and tells the peer that no more bytes will come. Nil: nothing is left to wait for.
    ///
    /// Call it on the reactor's thread.
    package init?(_ closed: Transport) {
        guard let descriptor = closed.release(notify: true, staysOpen: true) else { return nil }
        shutdown(descriptor, Int32(SHUT_WR))
        guard let rest = try? Transport(adopting: descriptor, peer: closed.peer, on: closed.reactor)
        else { return nil }
        transport = rest
    }

    /// Waits until the peer has ended its side, and closes the socket. What the peer still says is dropped.
    ///
    /// Cancelling the task ends the wait.
    package func waitForPeer(until deadline: Deadline) async {
        defer { transport.close() }
        let waker = Waker()
        transport.setHandler(waker)
        while true {
            switch skip() {
            case .bytes:
                // Others have their turn, however much the peer has to say.
                await Task.yield()
                if Task.isCancelled || deadline <= .now { return }
            case .wouldBlock:
                guard await transport.reactor.wait(for: waker, until: deadline) == .signaled else { return }
            case .end: return
            }
        }
    }

    private func skip() -> ReadOutcome {
        withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 16) { buffer in
            // A connection that failed has ended.
            (try? transport.read(into: buffer)) ?? .end
        }
    }
}
