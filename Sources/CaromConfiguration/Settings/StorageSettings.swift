// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `storage` block: a set of PostgreSQL servers and how to reach them.
package struct StorageSettings: Equatable, Sendable, TLSConfigured {
    /// The name routes use.
    package var name: String
    /// `type`.
    package var type = StorageType.remote
    /// `host`, `srv`, `hosts_file` or `resolver`.
    package var backends = StorageBackends.hosts([])
    /// `nameserver`: DNS servers to ask instead of the system's.
    package var nameservers: [NameserverAddress] = []
    /// `port`: for hosts that name none of their own.
    package var port = 5432
    /// `max_connections`: to all servers of the storage, over all routes; `nil` for no limit.
    package var maxConnections: Int?
    /// `tls` and `tls_…`.
    package var tls = TLSSettings()
    /// `tls_negotiation`: how a connection comes to TLS.
    package var tlsNegotiation = TLSNegotiation.postgres

    /// `server_max_routing`: logins to one of the servers at a time, of each pool.
    package var maxRouting = 4
    /// `endpoints_status_poll_interval`: how often an idle connection to each server is checked, if there are several.
    package var statusPollInterval: Duration = .seconds(1)
    /// `server_check_timeout`: for the answer to a check.
    package var checkTimeout: Duration = .seconds(3)
    /// `server_check_busy`: requests at a server that answers nothing, while others do, are given up.
    package var checksBusy = false
    /// `server_dead_after`: a server that could not be reached for so long is not waited for.
    package var deadAfter: Duration = .seconds(5)
    /// `server_slow_start`: how long a server that is back takes to come to its full share.
    package var slowStart: Duration?
    /// `server_exchange_interval`: if there are more servers than connections, how often one of those without takes the place of another.
    package var exchangeInterval: Duration? = .seconds(60)
    /// `balancing_method`: which of several servers a client gets.
    package var balancing = BalancingMethod.leastConnections
    /// `allow_cleartext_password`: a server that asks for a password itself gets it in the open, too.
    package var allowsCleartextPassword = false
    /// `target_session_attrs`: for routes that say nothing else.
    package var targetSessionAttributes: TargetSessionAttributes?
    /// `watchdog`: asks the servers how far they lag.
    package var watchdog: WatchdogSettings?

    package init(name: String) {
        self.name = name
    }

    /// Whether `port` means anything.
    package var usesPort: Bool {
        switch backends {
        case .hosts, .file: true
        case .service, .resolver: false
        }
    }

    /// The port of one of this storage's hosts.
    package func port(of host: StorageHost) -> Int { host.port ?? port }
}

/// Which of several servers a client gets.
package enum BalancingMethod: String, CaseIterable, Hashable, Sendable {
    /// That with the fewest clients.
    case leastConnections = "leastconn"
    /// The better one of two at random.
    case randomOfTwo = "random_of_two"
}

/// What answers behind a storage.
package enum StorageType: String, CaseIterable, Hashable, Sendable {
    /// PostgreSQL servers.
    case remote
    /// The pooler itself: its console.
    case local
}

/// How a connection to a server comes to TLS: libpq's `sslnegotiation`.
package enum TLSNegotiation: String, CaseIterable, Hashable, Sendable {
    /// The server is asked whether it has TLS.
    case postgres
    /// The connection begins with the handshake, as servers from PostgreSQL 17 on allow: a round trip less.
    case direct
}

/// Where a storage's servers come from.
package enum StorageBackends: Hashable, Sendable {
    /// `host`: a list; names in it are looked up in the DNS.
    case hosts([StorageHost])
    /// `srv`: the DNS name of SRV records, such as `_postgresql._tcp.db.example`.
    case service(String)
    /// `hosts_file`: a file with one host a line, read again when it changes.
    case file(String)
    /// `resolver`: the name of a `resolver` block.
    case resolver(String)

    /// Whether a name in it is looked up.
    var asksDNS: Bool {
        switch self {
        case .service: true
        // Its lines hold addresses; a resolver says for itself whom it asks.
        case .file, .resolver: false
        case .hosts(let hosts):
            hosts.contains { if case .name = $0.location { true } else { false } }
        }
    }
}

/// One entry of a `host` list.
package struct StorageHost: Hashable, Sendable {
    package enum Location: Hashable, Sendable {
        /// An IPv4 or IPv6 address, without brackets.
        case address(String)
        /// A DNS name.
        case name(String)
        /// The directory of a Unix socket `.s.PGSQL.<port>`.
        case unixDirectory(String)
    }

    package var location: Location
    /// `nil` for the storage's port.
    package var port: Int?
    /// Where it is, as `availability_zone` has it.
    package var zone: String?

    package init(_ location: Location, port: Int? = nil, zone: String? = nil) {
        self.location = location
        self.port = port
        self.zone = zone
    }
}

/// A DNS server.
package struct NameserverAddress: Hashable, Sendable {
    /// An IPv4 or IPv6 address, without brackets.
    package var address: String
    package var port: Int

    package init(address: String, port: Int = 53) {
        self.address = address
        self.port = port
    }
}
