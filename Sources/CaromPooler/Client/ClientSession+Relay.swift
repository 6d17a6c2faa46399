// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// Stage 5, process.
extension ClientSession {
    /// Passes messages both ways until one side ends.
    ///
    /// Nothing here suspends but the one wait: claiming an idle server, forwarding and giving back happen in the turn in
    /// which the bytes arrived.
    @inline(never)
    func relay() async throws(SessionEnd) {
        while true {
            let isBusy = try turn()
            try await isBusy ? giveWay() : wait()
        }
    }

    /// Passes on what is there, a bounded number of times: a transfer that never waits must not keep the other sessions of the
    /// worker waiting. `true`: there may be more.
    @inline(never)
    private func turn() throws(SessionEnd) -> Bool {
        for _ in 0..<Self.turnsInARow {
            var moved = try receiveFromClient()
            if try attachDelivered() {
                inputIsReady = true
                moved = true
            }
            if try receiveFromServer() { moved = true }
            if try flush() { moved = true }
            if !moved { return false }
        }
        return true
    }

    private static var turnsInARow: Int { 8 }

    /// Writes what waits for either side, as far as it is taken. `true`: something was, and all of it.
    func flush() throws(SessionEnd) -> Bool {
        var moved = false
        if !output.isEmpty, stream.isWritable {
            do throws(SystemError) {
                try output.flush(to: stream)
            } catch {
                throw .clientLeft
            }
            moved = output.isEmpty
        }
        if let server, !server.state.value.output.isEmpty, server.transport.isWritable {
            do throws(SystemError) {
                try server.state.value.output.flush(to: server.transport)
            } catch {
                server.state.value.failure = PostgresError(error)
            }
            moved = moved || server.state.value.output.isEmpty
        }
        // A client that is gone while nothing is written to it is noticed by its hang-up.
        if stream.isHungUp, !stream.isReadable { throw .clientLeft }
        return moved
    }
}
