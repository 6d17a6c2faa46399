// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What is done with servers beside serving clients, as the top of the file says it for all routes, and a route for itself. `nil` says
/// nothing.
package struct ServerHooks: Equatable, Sendable {
    /// `server_check_query`: shows whether a server is well.
    package var checkQuery: String?
    /// `server_check_delay`: a server that was idle for longer is asked before a client gets it.
    package var checkDelay: Duration?
    /// `connect_query`: once for each new server.
    package var connectQuery: String?
    /// `server_reset_query` or `pool_discard_query`: in place of `DISCARD ALL`.
    package var resetQuery: String?
    /// `server_fast_close`: a server that is to be replaced is not kept by its client.
    package var fastClose: Bool?
    /// `server_round_robin`: servers take turns.
    package var roundRobin: Bool?
    /// `server_drain_timeout`: for how long clients may keep a server that is taken out of use.
    package var drainTimeout: Duration?
    /// `codel_target`: the wait beyond which clients are sent away while the queue does not get shorter.
    package var codelTarget: Duration?
    /// `codel_interval`: how long it must not.
    package var codelInterval: Duration?

    package init() {}

    /// What these do not say is as the others say.
    package func filled(from others: ServerHooks) -> ServerHooks {
        var hooks = self
        hooks.checkQuery = checkQuery ?? others.checkQuery
        hooks.checkDelay = checkDelay ?? others.checkDelay
        hooks.connectQuery = connectQuery ?? others.connectQuery
        hooks.resetQuery = resetQuery ?? others.resetQuery
        hooks.fastClose = fastClose ?? others.fastClose
        hooks.roundRobin = roundRobin ?? others.roundRobin
        hooks.drainTimeout = drainTimeout ?? others.drainTimeout
        hooks.codelTarget = codelTarget ?? others.codelTarget
        hooks.codelInterval = codelInterval ?? others.codelInterval
        return hooks
    }
}
