// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

/// What is to be done between a client's authentication and its greeting, decided without a socket or a pool.
///
/// The client is told what a server would tell it: parameters, cancel key, ready. The parameters are those of a server of its
/// route. The first client of a route waits for one to be connected, and the first with other settings has one try them, as
/// PostgreSQL does when a session begins; later ones do not touch a server. If none is at hand the client is greeted
/// without, and its first server is asked before a query runs (``RelayMachine/attach(to:as:rule:_:)``).
final class Opening {
    enum Step {
        /// A server's parameters must be known; waits for a server, if there is none.
        case learn
        /// A server that is at hand is asked whether it accepts the settings.
        case ask(SessionParameters)
        /// These settings were accepted before: the client is greeted.
        case greet(AcceptedParameters.Entry)
    }

    let startup: StartupMessage
    /// The startup packet as it came.
    private let packet: [UInt8]
    private let remembered: LoginMemory.Entry?
    private let snapshot: Snapshot
    /// What a server is asked for.
    private var asked = SessionParameters.unknown
    /// Of what was accepted, when the opening began.
    private var generation = 0

    /// - Parameter remembered: what the packet is known to mean.
    init(
        _ startup: StartupMessage, packet: [UInt8], remembered: LoginMemory.Entry?, _ snapshot: Snapshot
    ) {
        self.startup = startup
        self.packet = packet
        self.remembered = remembered
        self.snapshot = snapshot
    }

    // MARK: With the relay

    /// Goes on as far as that is possible now; called again when the relay has got a server.
    func advance(_ relay: Relay) throws(SessionEnd) {
        let accepted = relay.route.accepted
        if let remembered, remembered.route === relay.route, let entry = remembered.settings {
            return try relay.greet(entry, isConfirmed: true, startup.version)
        }
        while true {
            generation = accepted.generation
            switch try next(accepted, options: relay.route.settings.options) {
            case .learn:
                guard let server = try relay.serverForOpening(mayWait: true) else { return }
                accepted.learn(server.state.initialParameters)
            case .greet(let entry):
                return try relay.greet(entry, isConfirmed: true, startup.version)
            case .ask(let wanted):
                // Without a server at hand the client is greeted all the same: a login never waits for one.
                guard let server = try relay.serverForOpening(mayWait: false) else {
                    return try relay.greet(
                        accepted.unconfirmed(wanted), isConfirmed: false, startup.version)
                }
                if relay.ask(server, for: wanted) { return }
                return try confirmed(wanted, relay)
            }
        }
    }

    /// The server has accepted the settings, and made this of them.
    func confirmed(_ parameters: SessionParameters, _ relay: Relay) throws(SessionEnd) {
        let entry = relay.route.accepted.record(asked, became: parameters)
        try relay.greet(entry, isConfirmed: true, startup.version)
    }

    /// The next client with the same packet is greeted at once.
    func remember(_ route: Route, _ entry: AcceptedParameters.Entry, in logins: inout LoginMemory) {
        // An entry of a route that was collected since is replaced, so that it is not kept alive.
        if let remembered, remembered.route === route, remembered.settings != nil { return }
        logins.remember(
            LoginMemory.Entry(
                packet: packet, startup, route, snapshot, accepted: entry, generation: generation))
    }

    // MARK: Decisions

    /// The next step, by what is known of the route's servers.
    ///
    /// - Throws: the refusal of settings that no server can be asked for.
    func next(_ accepted: AcceptedParameters, options: [SessionParameter]) throws(SessionEnd) -> Step {
        guard let defaults = accepted.defaults else { return .learn }
        let wanted = try settings(on: defaults, options)
        if let entry = accepted.entry(for: wanted) { return .greet(entry) }
        asked = wanted
        return .ask(wanted)
    }

    /// The server's defaults, then the client's own settings, then those that the route forces.
    private func settings(on defaults: SessionParameters, _ options: [SessionParameter])
        throws(SessionEnd) -> SessionParameters
    {
        var parameters = defaults
        var wanted = startup.parameters
        if let options = startup.options {
            let parsed = StartupOptions(options)
            if let rejected = parsed.rejected.first {
                throw .fatal(
                    .invalidParameterValue,
                    "unsupported startup option: \"\(rejected)\"; -c name=value and --name=value are supported"
                )
            }
            wanted = parsed.settings + wanted
        }
        for setting in wanted where !parameters.set(setting.name, to: setting.value) {
            throw .fatal(
                .protocolViolation, "unsupported startup parameter: \(setting.name)",
                hint: "set it in the session, or in the route's options")
        }
        for option in options { parameters.set(option.name, to: option.value) }
        return parameters
    }
}
