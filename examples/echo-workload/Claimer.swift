// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTCP
import Synchronization

/// Claims, echoes, holds, gives back, and begins again.
final class Claimer: Sendable {
    /// What it is doing, for the screen.
    struct Status: Sendable {
        var hold: Duration
        var isRetired = false
        var doing = "waiting"
        var claims = 0
        var failures = 0
    }

    private let state: Mutex<Status>

    /// The shortest hold, and the step of a change.
    static let step = Duration.milliseconds(100)

    init(hold: Duration) {
        state = Mutex(Status(hold: hold))
    }

    var status: Status { state.withLock { $0 } }

    /// Holds longer or shorter from the next claim on.
    func change(by difference: Duration) {
        state.withLock { $0.hold = max(Self.step, $0.hold + difference) }
    }

    /// Ends it after the claim in progress.
    func retire() {
        state.withLock { $0.isRetired = true }
    }

    /// Works until it is retired or cancelled.
    func run(_ pool: Pool<TCPConnector>, _ journal: Journal) async {
        while !Task.isCancelled, !status.isRetired {
            show("waiting")
            do throws(PoolError) {
                let claim = try await pool.claim()
                journal.claimed(claim.backend.name)
                let broken = await use(claim.connection, of: claim.backend.name, journal)
                if broken { claim.discard("the echo failed") } else { claim.recycle() }
            } catch {
                if error.code == .cancelled || error.code == .stopped { return }
                journal.failed("\(error)")
                state.withLock { $0.failures += 1 }
                show("\(error.code)")
                // A pool that fails at once must not be asked in a tight loop.
                try? await Task.sleep(for: Self.step)
            }
        }
    }

    /// True: the connection is of no more use.
    private func use(_ connection: TCPConnection, of backend: String, _ journal: Journal) async -> Bool {
        let hold = state.withLock { state in
            state.claims += 1
            state.doing = "holding \(backend)"
            return state.hold
        }
        do {
            try await Workload.exchange(Array("what a claim says comes back\n".utf8), over: connection)
        } catch {
            if !Task.isCancelled { journal.broke("\(error)") }
            return true
        }
        // Cancelled: it gives back what it holds and ends.
        try? await Task.sleep(for: hold)
        return false
    }

    private func show(_ doing: String) {
        state.withLock { $0.doing = doing }
    }
}
