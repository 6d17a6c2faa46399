// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import PostgresProtocol
import Reactor

extension ClientSession {
    /// Stage 3, route: finds the rule for the client.
    func findRule(_ startup: StartupMessage) throws(SessionEnd) -> RouteSettings {
        if startup.replication != .none {
            throw .fatal(.featureNotSupported, "replication connections are not supported")
        }
        guard let rule = worker.router.rule(database: startup.database, user: startup.user) else {
            throw .fatal(
                .invalidCatalogName, "route for '\(startup.database).\(startup.user)' is not found",
                hint: "add a database and user block to the configuration, or a default one")
        }
        showsID = rule.clientShowID
        return rule
    }

    /// Gives the authenticated client its place in the pool of its rule.
    func enter(_ rule: RouteSettings, _ startup: StartupMessage) throws(SessionEnd) -> Route {
        let route: Route
        do throws(PolicyError) {
            route = try worker.router.open(rule, database: startup.database, user: startup.user)
        } catch {
            throw .fatal(.systemError, "\(error)")
        }
        guard route.admission.enter() else {
            throw .fatal(
                .tooManyConnections,
                "too many clients for route \(route.name): client_max is \(rule.clientMax ?? 0)")
        }
        self.route = route
        counters = route.counters[worker.reactor.index]
        return route
    }

    /// Tells the client what a server would tell it: parameters, cancel key, ready.
    ///
    /// The parameters are those of a server of this route. The first client of a route waits for one to be connected, and the
    /// first with other wishes has one try them; later ones do not touch a server.
    func setUp(_ startup: StartupMessage, _ route: Route) async throws(SessionEnd) {
        while route.serverParameters == nil, server == nil { try await attachForSetup() }
        if let server { route.learn(server.initialParameters) }
        if let known = route.serverParameters { parameters = known }
        try apply(startup, route)
        try await prove(route)
        if server != nil { detach() }
        let key = CancelKey(version: startup.version).data
        worker.cancels.register(key, worker: worker, owner: owner)
        cancelKey = key

        var bytes: [UInt8] = []
        AuthenticationRequest.ok.encode(into: &bytes)
        for parameter in parameters.known {
            ParameterStatus(name: parameter.name, value: parameter.value).encode(into: &bytes)
        }
        key.encode(into: &bytes)
        ReadyForQuery(status: .idle).encode(into: &bytes)
        try send(bytes)
        inputIsReady = !input.isEmpty
        // An array that was emptied keeps its memory; an idle client shall not.
        if input.isEmpty { input = [] }
        worker.log.session(
            "route '\(startup.database).\(startup.user)' to \(route.name)", in: context(.setup))
    }

    /// Waits for a server, or for its client to give up. Returns with a server, or without when another try is worth it.
    func attachForSetup() async throws(SessionEnd) {
        if waiting == nil {
            if try attach() { return }
        } else if try attachDelivered() {
            return
        }
        try await wait()
        if stream.isHungUp { throw .clientLeft }
    }
}
