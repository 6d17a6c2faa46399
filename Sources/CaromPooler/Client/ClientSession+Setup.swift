// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

extension ClientSession {
    /// Stage 3, route: lets the client in if there is room, and finds the rule for it.
    @inline(never)
    func findRule() throws(SessionEnd) -> RouteDefinition {
        guard worker.admission.enter(limit: worker.snapshot.settings.clientMax) else {
            throw .fatal(
                .tooManyConnections, "too many clients: client_max is \(worker.snapshot.settings.clientMax ?? 0)")
        }
        isAdmitted = true
        if startup.replication != .none {
            throw .fatal(.featureNotSupported, "replication connections are not supported")
        }
        guard let rule = worker.snapshot.route(database: startup.database, user: startup.user) else {
            throw .fatal(
                .invalidCatalogName, "route for '\(startup.database).\(startup.user)' is not found",
                hint: "add a database and user block to the configuration, or a default one")
        }
        showsID = rule.settings.clientShowID
        return rule
    }

    /// Gives the authenticated client its place in the pool of its rule. The login is over, and its time limit too.
    @inline(never)
    func enter(_ rule: RouteDefinition) throws(SessionEnd) -> Route {
        guard rule.console == nil else {
            throw .fatal(.featureNotSupported, "the console is not served by this version")
        }
        let (route, hasRoom) = worker.router.enter(
            rule, database: startup.database, user: startup.user)
        guard hasRoom else {
            throw .fatal(
                .tooManyConnections,
                "too many clients for route \(route.name): client_max is \(route.settings.clientMax ?? 0)")
        }
        self.route = route
        counters = route.counters[worker.reactor.index]
        worker.reactor.disarm(timer)
        return route
    }

    /// Tells the client what a server would tell it: parameters, cancel key, ready.
    ///
    /// The parameters are those of a server of this route. The first client of a route waits for one to be connected, and the
    /// first with other wishes has one try them; later ones do not touch a server.
    func setUp(_ route: Route) async throws(SessionEnd) {
        while route.serverParameters == nil, server == nil { try await attachForSetup() }
        try chooseParameters(route)
        try await prove(route)
        try greet()
    }

    @inline(never)
    private func chooseParameters(_ route: Route) throws(SessionEnd) {
        if let server { route.learn(server.initialParameters) }
        if let known = route.serverParameters { parameters = known }
        try apply(startup, route)
        // An idle client keeps only its names.
        startup.parameters = []
        startup.options = nil
        startup.protocolExtensions = []
    }

    @inline(never)
    private func greet() throws(SessionEnd) {
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
