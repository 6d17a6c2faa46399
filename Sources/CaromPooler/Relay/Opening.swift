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

    private let startup: StartupMessage
    /// What a server is asked for.
    private(set) var asked = SessionParameters(.pooled)

    init(_ startup: StartupMessage) { self.startup = startup }

    /// The protocol version of the client, for its cancel key.
    var version: ProtocolVersion { startup.version }

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
