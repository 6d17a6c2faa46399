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
    /// The parameters are those of a server of this route. The first client of a route waits for one to be connected; later
    /// ones do not touch a server.
    func setUp(_ startup: StartupMessage, _ route: Route) async throws(SessionEnd) {
        while route.serverParameters == nil, server == nil { try await attachForSetup() }
        let isFirst = server != nil
        if let server { route.learn(server.initialParameters) }
        if let known = route.serverParameters { parameters = known }
        try apply(startup, route)
        if isFirst { detach() }
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

    private func attachForSetup() async throws(SessionEnd) {
        if waiting == nil {
            if try attach() { return }
        } else if try attachDelivered() {
            return
        }
        try await wait()
        if stream.isHungUp { throw .clientLeft }
    }

    /// The client's own wishes, then those that the route forces.
    private func apply(_ startup: StartupMessage, _ route: Route) throws(SessionEnd) {
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
}
