// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor

/// What is to be done between a client's authentication and its greeting, decided without a socket or a pool.
///
/// The client is told what a server would tell it: parameters, cancel key, ready. The parameters are those of a server of its
/// route. The first client of a route waits for one to be connected, and the first with other settings has one try them, as
/// PostgreSQL does when a session begins; later ones do not touch a server. If none is at hand, the client is greeted
/// without, and its first server is asked before a query runs (``RelayMachine/attach(to:as:rule:isAsking:_:)``): unless it asks for
/// values that no server has spelled yet.
final class Opening {
    enum Step {
        /// A server is asked whether it accepts the settings. Without `mayWait` only one that is at hand.
        case ask(SettingValues, mayWait: Bool)
        /// These settings were accepted before: the client is greeted.
        case greet(AcceptedParameters.Entry)
    }

    private let caller: LoginCaller
    private let remembered: LoginMemory.Entry?
    private let snapshot: Snapshot
    /// What a server is asked for.
    private var asked = SettingValues()
    /// Of what was accepted, when the opening began.
    private var generation = 0

    /// - Parameter remembered: what the packet is known to mean.
    init(_ caller: LoginCaller, remembered: LoginMemory.Entry?, _ snapshot: Snapshot) {
        self.caller = caller
        self.remembered = remembered
        self.snapshot = snapshot
    }

    /// What it has asked for.
    var startup: StartupMessage { caller.startup }

    // MARK: With the relay

    /// Goes on as far as that is possible now; called again when the relay has got a server.
    func advance(_ relay: Relay) throws(SessionEnd) {
        if relay.route.definition.keepsServer, try !takeServer(relay) { return }
        if startup.replication != .none, let server = try relay.serverForOpening(mayWait: true) {
            let entry = AcceptedParameters.Entry(SettingValues(), told: server.state.reported)
            return try relay.greet(entry, isConfirmed: false, startup.version)
        }
        let accepted = accepted(on: relay.route)
        let now = Deadline.now
        if let remembered, remembered.route === relay.route, let entry = remembered.settings(at: now) {
            return try relay.greet(entry, isConfirmed: true, startup.version)
        }
        generation = accepted.generation
        switch try next(accepted, on: relay.route.definition, at: now) {
        case .greet(let entry): try relay.greet(entry, isConfirmed: true, startup.version)
        case .ask(let wanted, let mayWait):
            if let server = try relay.serverForOpening(mayWait: mayWait) {
                // A server that has just greeted has said all there is to hear, if nothing is to be set.
                let isAsking = !AcceptedParameters.isFresh(server.greetedAt, at: now)
                if relay.prepare(server, for: wanted, isAsking: isAsking) {
                    try confirmed(server.state, relay)
                }
            } else if !mayWait {
                // Without a server at hand the client is greeted all the same: logins rarely wait for one.
                try relay.greet(accepted.unconfirmed(wanted), isConfirmed: false, startup.version)
            }
        }
    }

    /// In session pooling a client has its server from the login on, while there is room for one more; when all are taken it is
    /// greeted all the same, and waits with its first query. One for replication must have its own: that has its startup packet.
    ///
    /// - Returns: false if the client waits for one.
    private func takeServer(_ relay: Relay) throws(SessionEnd) -> Bool {
        if relay.position.isWaiting { return false }
        let mayWait = startup.replication != .none || relay.route.hasRoom
        return try relay.serverForOpening(mayWait: mayWait) != nil || !relay.position.isWaiting
    }

    /// The server has accepted the settings.
    func confirmed(_ server: borrowing ServerState, _ relay: Relay) throws(SessionEnd) {
        let accepted = accepted(on: relay.route)
        let entry = accepted.record(
            asked, reported: server.reported, initial: server.initial, at: .now)
        generation = accepted.generation
        try relay.greet(entry, isConfirmed: true, startup.version)
    }

    /// The next client with the same packet is greeted at once.
    func remember(_ route: Route, _ entry: AcceptedParameters.Entry, in logins: inout LoginMemory) {
        // An entry of a route that was collected since is replaced, so that it is not kept alive.
        if let remembered, remembered.route === route, remembered.isCurrent { return }
        logins.remember(
            LoginMemory.Entry(
                packet: caller.packet, startup, route, snapshot, of: accepted(on: route), accepted: entry,
                generation: generation))
    }

    private func accepted(on route: Route) -> AcceptedParameters {
        route.accepted(for: route.choice(of: startup))
    }

    // MARK: Decisions

    /// The next step, by what is known of the route's servers.
    ///
    /// - Throws: the refusal of settings that no server can be asked for.
    func next(_ accepted: AcceptedParameters, on route: RouteDefinition, at now: Deadline)
        throws(SessionEnd) -> Step
    {
        let wanted = try settings(route)
        if let entry = accepted.entry(for: wanted, at: now) { return .greet(entry) }
        asked = wanted
        return .ask(wanted, mayWait: !accepted.canTell(wanted))
    }

    /// The client's own settings, then those that the route forces.
    private func settings(_ route: RouteDefinition) throws(SessionEnd) -> SettingValues {
        var wanted: [StartupParameter] = []
        if let options = startup.options {
            let parsed = StartupOptions(options)
            if let refusal = parsed.refusal {
                throw .fatal(.syntaxError, refusal.message, hint: refusal.hint)
            }
            wanted = parsed.settings
        }
        wanted += startup.parameters
        let ignored = snapshot.settings.ignoreStartupParameters
        if !ignored.isEmpty { wanted.removeAll { ignored.contains($0.name.lowercased()) } }
        if route.choosesTarget { try takeChoices(from: &wanted) }
        for setting in wanted where !SettingStatement.isName(setting.name) {
            throw .fatal(.undefinedObject, "unrecognized configuration parameter \"\(setting.name)\"")
        }
        var settings = SettingValues(wanted)
        for option in route.settings.options { settings.set(option.name, to: option.value) }
        return settings
    }

    /// Which kind of server it is to be is no setting that a server knows.
    private func takeChoices(from wanted: inout [StartupParameter]) throws(SessionEnd) {
        for setting in wanted where TargetSessionAttributes.isName(setting.name) {
            if TargetSessionAttributes(rawValue: setting.value) != nil { continue }
            let allowed = TargetSessionAttributes.allCases.map(\.rawValue).joined(separator: ", ")
            throw .fatal(
                .invalidParameterValue,
                "invalid value for parameter \"\(setting.name)\": \"\(setting.value)\"",
                hint: "Available values: \(allowed).")
        }
        wanted.removeAll { TargetSessionAttributes.isName($0.name) }
    }
}
