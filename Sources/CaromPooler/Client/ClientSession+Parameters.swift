// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// What a client asks for when it connects, and whether a server grants it.
extension ClientSession {
    /// The client's own wishes, then those that the route forces.
    func apply(_ startup: StartupMessage, _ route: Route) throws(SessionEnd) {
        var wishes = startup.parameters
        if let options = startup.options {
            let parsed = StartupOptions(options)
            if let rejected = parsed.rejected.first {
                throw .fatal(
                    .invalidParameterValue,
                    "unsupported startup option: \"\(rejected)\"; -c name=value and --name=value are supported"
                )
            }
            wishes = parsed.settings + wishes
        }
        for wish in wishes where !parameters.set(wish.name, to: wish.value) {
            throw .fatal(
                .protocolViolation, "unsupported startup parameter: \(wish.name)",
                hint: "set it in the session, or in the route's options")
        }
        for option in route.settings.options { parameters.set(option.name, to: option.value) }
    }

    /// How far it is known that a server grants what the client asked for when it connected.
    enum Grant {
        /// Nobody has asked a server yet. Nothing of the client's goes to its first one before that one has answered.
        case open
        /// A server has been asked, and owes the answer.
        case asked
        /// A server has granted it, to this client or to another with the same wishes.
        case granted
    }

    /// Has a server try what the client asks for, as PostgreSQL does when a session begins: a value that it refuses ends the
    /// session with its error, and no query runs under other settings than its client's.
    ///
    /// A round trip for the first client of a route with such wishes; for later ones the answer is known. If no server is at
    /// hand the login goes on without, and the client's first server is asked.
    func prove(_ route: Route) async throws(SessionEnd) {
        try beginProof(route)
        while grant == .asked {
            if try !receiveGrant() { try await wait() }
        }
    }

    @inline(never)
    private func beginProof(_ route: Route) throws(SessionEnd) {
        guard let defaults = route.serverParameters else { return }
        if let granted = route.granted.answer(to: parameters, defaults: defaults) {
            parameters = granted
            grant = .granted
            return
        }
        if server == nil, try !attachIfIdle() { return }
        guard let server else { preconditionFailure("attached without a server") }
        deploy(on: server.state)
        sendWishes(to: server)
    }

    @inline(never)
    private func receiveGrant() throws(SessionEnd) -> Bool {
        if stream.isHungUp { throw .clientLeft }
        let moved = try receiveFromServer()
        return try flush() || moved
    }

    /// Sends what `deploy` wants of the server, and nothing else.
    func sendWishes(to server: PostgresConnection) {
        grant = server.state.value.hiddenReplies > 0 ? .asked : .granted
        write(UnsafeRawBufferPointer(start: nil, count: 0), to: server)
    }

    /// The server has granted everything. A client that has logged in before learns what became of its wishes.
    func noteGrant(_ server: PostgresConnection) throws(SessionEnd) {
        let wishes = parameters
        parameters = server.state.value.parameters
        route?.granted.note(wishes, became: parameters)
        grant = .granted
        inputIsReady = !input.isEmpty
        guard isReady, parameters != wishes else { return }
        var bytes: [UInt8] = []
        for parameter in parameters.known where parameter.value != wishes[parameter.name] {
            ParameterStatus(name: parameter.name, value: parameter.value).encode(into: &bytes)
        }
        try send(bytes)
    }
}
