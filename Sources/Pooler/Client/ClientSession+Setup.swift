// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import PostgresProtocol

extension ClientSession {
    /// Stage 3, route: finds the pool for the client, and its place in it.
    func enter(_ startup: StartupMessage) throws(SessionEnd) -> Route {
        if startup.replication != .none {
            throw .fatal(.featureNotSupported, "replication connections are not supported")
        }
        guard let route = worker.router.route(database: startup.database, user: startup.user) else {
            throw .fatal(
                .invalidCatalogName, "route for '\(startup.database).\(startup.user)' is not found",
                hint: "add a database and user block to the configuration, or a default one")
        }
        self.route = route
        guard route.admit() else {
            self.route = nil
            throw .fatal(
                .tooManyConnections,
                "too many clients for route \(route.name): client_max is \(route.settings.clientMax ?? 0)")
        }
        counters = route.counters[worker.reactor.index]
        return route
    }

    /// Tells the client what a server would tell it: parameters, cancel key, ready.
    ///
    /// The parameters are those of a server of this route. The first client of a route waits for one to be connected; later
    /// ones do not touch a server.
    func setUp(_ startup: StartupMessage, _ route: Route) async throws(SessionEnd) {
        var isFirst = false
        while route.serverParameters == nil {
            if server == nil, waiting == nil, try attach() == false { try await wait() }
            isFirst = try attachDelivered() || server != nil
            if isFirst { break }
            if stream.isHungUp { throw .clientLeft }
            if waiting != nil { try await wait() }
        }
        if let server {
            route.learn(server.initialParameters)
            parameters = server.initialParameters
        } else if let known = route.serverParameters {
            parameters = known
        }
        try apply(startup, route)
        if isFirst { detachUnused() }
        let key = CancelKey(version: startup.version)
        worker.cancels.register(key, for: self)
        cancelKey = key

        var bytes: [UInt8] = []
        AuthenticationRequest.ok.encode(into: &bytes)
        for parameter in parameters.known {
            ParameterStatus(name: parameter.name, value: parameter.value).encode(into: &bytes)
        }
        key.data.encode(into: &bytes)
        ReadyForQuery(status: .idle).encode(into: &bytes)
        try send(bytes)
        inputIsReady = !input.isEmpty
        logSession("route '\(startup.database).\(startup.user)' to \(route.name)")
    }

    /// A server that was claimed only to learn its parameters goes back as it came.
    private func detachUnused() {
        guard let server else { return }
        server.state.value.owner = 0
        server.state.value.hiddenReplies = 0
        detach()
    }

    /// The client's own wishes, then those that the route forces.
    private func apply(_ startup: StartupMessage, _ route: Route) throws(SessionEnd) {
        var wishes = startup.parameters
        if let options = startup.options {
            let parsed = StartupOptions(options)
            if let rejected = parsed.rejected.first {
                throw .fatal(
                    .invalidParameterValue,
                    "unsupported startup option: \"\(rejected)\"; -c name=value and --name=value are supported")
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
