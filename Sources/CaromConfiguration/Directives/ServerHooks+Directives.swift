// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A block that says what is done with servers beside serving clients.
protocol ServerHooked {
    var hooks: ServerHooks { get set }
}

extension Settings: ServerHooked {}
extension RouteSettings: ServerHooked {}

extension Directive where Scope: ServerHooked & SendableMetatype {
    /// What may stand at the top, for all routes, and in a route.
    static var serverHooks: [Self] {
        [
            .text("server_check_query", optional: \.hooks.checkQuery), checkDelay,
            .text("connect_query", optional: \.hooks.connectQuery),
            .text("server_reset_query", optional: \.hooks.resetQuery),
            .text("pool_discard_query", optional: \.hooks.resetQuery).named("server_reset_query"),
            .flag("server_fast_close", optional: \.hooks.fastClose),
            .flag("server_round_robin", optional: \.hooks.roundRobin),
            .time("server_drain_timeout", in: .seconds, optional: \.hooks.drainTimeout),
            .time("codel_target", in: .milliseconds, optional: \.hooks.codelTarget),
            .time("codel_interval", in: .milliseconds, optional: \.hooks.codelInterval),
        ]
    }

    /// 0 is each time; not to ask at all is to leave it out.
    private static var checkDelay: Self {
        Directive(
            name: "server_check_delay", expects: "\(ConfigurationValue.times.sentence), in seconds",
            read: { value, scope throws(ValueError) in
                scope.hooks.checkDelay = try value.time(in: .seconds)
            },
            write: { $0.hooks.checkDelay.map(TimeUnit.seconds.text) })
    }

    /// The same as another name for a directive.
    private func named(_ canonical: String) -> Self {
        var other = self
        other.canonical = canonical
        return other
    }
}

extension Directive<RouteSettings> {
    /// PgBouncer's name for `pool_discard`.
    static var resetAlways: Self {
        Directive(
            name: "server_reset_query_always", expects: "yes or no", canonical: "pool_discard",
            read: { value, route throws(ValueError) in route.poolDiscard = try value.flag() ? true : nil
            },
            write: { $0.poolDiscard.map { $0 ? "yes" : "no" } })
    }
}
