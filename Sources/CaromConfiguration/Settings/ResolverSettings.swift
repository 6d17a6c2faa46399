// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `resolver` block: how a set of PostgreSQL servers is found.
package struct ResolverSettings: Hashable, Sendable {
    /// Where it was said.
    package enum Origin: Hashable, Sendable {
        /// In a `resolver` block, so that any storage may name it.
        case block
        /// In a storage, for itself.
        case storage
    }

    /// The name storages and composites use.
    package var name: String
    package var origin = Origin.block
    /// `type`.
    package var type = ResolverType.fixed

    // Servers
    /// `host`.
    package var hosts: [ResolverHost] = []
    /// `port`: for hosts that name none of their own.
    package var port = 5432
    /// `srv`: the DNS name of SRV records.
    package var service: String?
    /// `file`: a file with one backend a line, or JSON.
    package var file: String?
    /// `file_format`.
    package var fileFormat = ResolverFileFormat.automatic
    /// `resolvers`: names of those that a composite puts together.
    package var parts: [String] = []
    /// `rule`: how it does.
    package var rule = ResolverRule.merge

    // DNS
    /// `nameserver`: DNS servers to ask instead of the system's.
    package var nameservers: [NameserverAddress] = []
    /// `nameserver_srv`: the name of SRV records that lead to DNS servers; those of `nameserver` are asked for nothing else then.
    package var nameserverService: String?
    /// `address_family`: which addresses of a name count.
    package var addressFamily = AddressFamily.preferIPv4
    /// `timeout_ms`: for one question to one DNS server.
    package var timeout = Duration.seconds(2)
    /// `tries`: how often a silent DNS server is asked.
    package var tries = 3
    /// `ttl_min`: no answer is kept for less.
    package var shortestTTL = Duration.seconds(5)
    /// `ttl_max`: no answer is kept for longer.
    package var longestTTL = Duration.seconds(300)
    /// `ttl_negative`: for a negative answer that does not say how long it holds.
    package var negativeTTL = Duration.seconds(10)
    /// `retry_min`: the wait after the first failure.
    package var firstRetry = Duration.seconds(5)
    /// `retry_max`: the longest wait after many.
    package var lastRetry = Duration.seconds(30)
    /// `spread`: every wait is stretched by up to so many per cent of itself.
    package var spread = 20
    /// `removal_answers`: how many answers in a row must lack a server.
    package var removalAnswers = 2
    /// `removal_answers_most`: the same where more than half of them are lacking.
    package var removalAnswersForMost = 3
    /// `removal_spacing`: answers closer together count once.
    package var removalSpacing = Duration.seconds(5)
    /// `max_stale`: how long answers are used while no new ones can be had; `nil` for ever.
    package var maxStale: Duration?
    /// `etc_hosts`: whether `/etc/hosts` is read first.
    package var readsHostsFile = true
    /// `max_queries`: questions under way at once.
    package var maxQueries = 32

    package init(name: String) {
        self.name = name
    }

    /// The port of one of the hosts.
    package func port(of host: ResolverHost) -> Int { host.host.port ?? port }

    /// What messages call it.
    package var title: String {
        switch origin {
        case .block: "resolver \(quoted(name))"
        case .storage: "storage \(quoted(name))"
        }
    }

    /// Whose servers its SRV records name: `db.example` of `_postgresql._tcp.db.example`.
    package var serviceDomain: String? {
        service.map { $0.split(separator: ".").drop { $0.hasPrefix("_") }.joined(separator: ".") }
    }
}

/// Where a resolver has its servers from.
package enum ResolverType: String, CaseIterable, Hashable, Sendable {
    /// The configuration.
    case fixed = "static"
    /// A file that may change.
    case file
    /// The DNS.
    case dns
    /// Other resolvers.
    case composite
}

/// How a file of servers is written.
package enum ResolverFileFormat: String, CaseIterable, Hashable, Sendable {
    /// JSON if its name ends in `.json`, else text.
    case automatic = "auto"
    case text
    case json
}

/// How a composite puts its resolvers together.
package enum ResolverRule: String, CaseIterable, Hashable, Sendable {
    /// The servers of all of them.
    case merge
    /// Those of the first that has any.
    case fallback
}

/// Which addresses of a name count.
package enum AddressFamily: String, CaseIterable, Hashable, Sendable {
    case ipv4
    case ipv6
    /// IPv4 addresses, or IPv6 ones if there are none.
    case preferIPv4 = "prefer_ipv4"
    /// IPv6 addresses, or IPv4 ones if there are none.
    case preferIPv6 = "prefer_ipv6"
    case all
}

/// One entry of a resolver's `host` list.
package struct ResolverHost: Hashable, Sendable {
    /// `nil` if it is called by its address.
    package var name: String?
    package var host: StorageHost
    /// `nil` where nothing is said: 0.
    package var priority: Int?
    /// `nil` where nothing is said: 1.
    package var weight: Int?
    /// Every other `key=value`.
    package var attributes: [String: String] = [:]

    package init(_ host: StorageHost, name: String? = nil) {
        self.host = host
        self.name = name
    }

    /// Whether it says nothing but the host.
    var isPlain: Bool { self == ResolverHost(host) }
}
