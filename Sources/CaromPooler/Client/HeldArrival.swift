// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTCP

/// The stage of a client that has proved who it is while its worker is suspended. It goes on to its route when that ends.
final class HeldArrival: SessionStage {
    // Unowned: the session holds its stage.
    private unowned(unsafe) let session: ClientSession
    private let route: Route
    private let arrival: Opening
    private let input: [UInt8]
    private var output = OutputQueue()
    private var presence = PresenceCheck()

    /// - Parameter input: what the client has sent behind its last message.
    init(_ session: ClientSession, _ route: Route, _ arrival: Opening, input: [UInt8]) {
        self.session = session
        self.route = route
        self.arrival = arrival
        self.input = input
    }

    /// The suspension is over.
    func goOn() {
        // Held, because the next stage takes the place of this one.
        let (session, route, arrival, input) = (session, route, arrival, input)
        do throws(SessionEnd) {
            try session.go(to: .relay(route), arrival, input: input)
        } catch {
            session.end(error)
        }
    }

    func handle(_ token: Int) {
        guard session.transport.isHungUp else { return }
        do throws(SessionEnd) { try presence.run(session.transport, &output) } catch { session.end(error) }
    }

    func leave() -> OutputQueue { output }
    func stop() { session.end(.shutdown) }
    func abort() { session.end(.shutdown) }
}
