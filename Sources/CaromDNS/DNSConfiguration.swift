// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What to look up, where, and how patiently.
public struct DNSConfiguration: Hashable, Sendable {
    /// What the backends are found by.
    public enum Subject: Hashable, Sendable {
        /// A service name such as `_postgresql._tcp.example.com`, whose SRV records name hosts and ports (RFC 2782).
        case service(String)
        /// A host name or numeric address whose every address is a backend on this port.
        case host(String, port: UInt16)
    }

    /// Where nameservers come from.
    public enum Servers: Hashable, Sendable {
        /// `/etc/resolv.conf`: nameservers, search list, `ndots`.
        case system
        /// These, preferring whichever answered last. At least one.
        case fixed([DNSServer])
        /// Those found under a service name by asking the bootstrap servers, which are asked for nothing else. Servers
        /// that leave the service are no longer used.
        case discovered(service: String, bootstrap: [DNSServer])
    }

    /// Which addresses of a host become backends.
    public enum Addresses: Hashable, Sendable, CaseIterable {
        /// IPv4 addresses only.
        case ipv4
        /// IPv6 addresses only.
        case ipv6
        /// IPv4 addresses, or IPv6 ones if there are none.
        case preferIPv4
        /// IPv6 addresses, or IPv4 ones if there are none.
        case preferIPv6
        /// All; a host with both kinds is two backends.
        case all
    }

    /// What the backends are found by.
    public var subject: Subject
    /// Where to ask. Default: the system's nameservers.
    public var servers: Servers
    /// Which addresses to use. Default: IPv4, else IPv6.
    public var addresses: Addresses
    /// How long one question to one nameserver may take. Default 2 s, allowed 10 ms to 1 min.
    public var timeout: Duration
    /// How often a silent nameserver is asked before the question fails. Default 3, allowed 1 to 10.
    public var tries: Int
    /// Shortest and longest time an answer is kept, whatever its TTL says. Default 5 to 300 s.
    public var timeToLive: ClosedRange<Duration>
    /// How long a negative answer is kept that does not say so itself. Default 10 s.
    public var negativeTimeToLive: Duration
    /// Wait after a failed question: the first, doubled at each further failure up to the second. Default 5 to 30 s.
    public var retryDelay: ClosedRange<Duration>
    /// Every wait is stretched by a random part of itself up to this fraction. Default 0.2.
    public var spread: Double
    /// When a backend missing from answers is believed.
    public var removal: DNSRemovalRule
    /// How long answers are used while no new ones can be had; nil, the default, is for ever.
    public var maxStale: Duration?
    /// Whether `/etc/hosts` is read first for host names (not for hosts of services). Default true.
    public var readsHostsFile: Bool
    /// How many questions may be under way at once. Default 32, allowed 1 to 1000.
    public var maxQueries: Int

    /// A configuration with the defaults documented at each property.
    public init(_ subject: Subject, servers: Servers = .system) {
        self.subject = subject
        self.servers = servers
        addresses = .preferIPv4
        timeout = .seconds(2)
        tries = 3
        timeToLive = .seconds(5) ... .seconds(300)
        negativeTimeToLive = .seconds(10)
        retryDelay = .seconds(5) ... .seconds(30)
        spread = 0.2
        removal = DNSRemovalRule()
        maxStale = nil
        readsHostsFile = true
        maxQueries = 32
    }

    /// Checks every value. Throws `DNSError` with the first one that is out of range.
    public func validate() throws(DNSError) {
        switch subject {
        case .service(let name):
            _ = try DNSName(name)
        case .host(let name, let port):
            if IPAddress(name) == nil { _ = try DNSName(name) }
            try Self.check(port > 0, "port 0 of host \"\(name)\" is not a port; allowed are 1 to 65535")
        }
        switch servers {
        case .system: break
        case .fixed(let list):
            try Self.check(
                !list.isEmpty, "the list of nameservers is empty; name at least one, or use the system's")
        case .discovered(let service, let bootstrap):
            _ = try DNSName(service)
            try Self.check(
                !bootstrap.isEmpty, "the list of bootstrap nameservers is empty; name at least one")
        }
        try Self.check(
            timeout >= .milliseconds(10) && timeout <= .seconds(60),
            "a timeout of \(timeout) is out of range; allowed are 10 ms to 1 min")
        try Self.check((1...10).contains(tries), "\(tries) tries are out of range; allowed are 1 to 10")
        try Self.check(
            timeToLive.lowerBound > .zero,
            "the shortest time to live must be positive, not \(timeToLive.lowerBound)")
        try Self.check(
            negativeTimeToLive > .zero,
            "the negative time to live must be positive, not \(negativeTimeToLive)")
        try Self.check(
            retryDelay.lowerBound > .zero, "the retry delay must be positive, not \(retryDelay.lowerBound)")
        try Self.check((0...1).contains(spread), "a spread of \(spread) is out of range; allowed are 0 to 1")
        try Self.check(
            removal.answers >= 1 && removal.answersForMost >= removal.answers && removal.spacing >= .zero,
            "the removal rule needs at least one answer, no fewer for most than for few, and no negative spacing"
        )
        try Self.check(
            maxStale.map { $0 > .zero } ?? true, "the maximum staleness must be positive, or absent")
        try Self.check(
            (1...1000).contains(maxQueries),
            "\(maxQueries) queries at once are out of range; allowed are 1 to 1000")
    }

    private static func check(_ condition: Bool, _ message: String) throws(DNSError) {
        guard condition else { throw DNSError(.invalidSetting, message) }
    }
}
