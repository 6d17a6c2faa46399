// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The configuration as the machine uses it: names parsed, search list applied.
struct ResolveSettings: Sendable {
    /// What the entries start from.
    enum Root: Sendable {
        /// Names to ask for SRV records, in turn.
        case service([DNSName])
        /// A host; `text` is what the hosts file is searched for, `names` what nameservers are asked.
        case host(text: String, names: [DNSName], port: UInt16)
        /// Nothing to ask.
        case literal(IPAddress, port: UInt16)
    }

    var root: Root
    var addresses: DNSConfiguration.Addresses
    var timeout: Duration
    var tries: Int
    var timeToLive: ClosedRange<Duration>
    var negativeTimeToLive: Duration
    var retryDelay: ClosedRange<Duration>
    var spread: Double
    var removal: DNSRemovalRule
    var maxStale: Duration?
    var readsHostsFile: Bool
    var maxQueries: Int

    /// How long a silent server is waited for before the next one is asked as well.
    var patience: Duration { timeout / 4 }

    /// Takes a configuration apart. `search` comes from the system's configuration.
    init(_ configuration: DNSConfiguration, search: SearchList = SearchList()) throws(DNSError) {
        try configuration.validate()
        switch configuration.subject {
        case .service(let text):
            root = .service(try search.candidates(for: text))
        case .host(let text, let port):
            if let address = IPAddress(text) {
                root = .literal(address, port: port)
            } else {
                root = .host(text: text, names: try search.candidates(for: text), port: port)
            }
        }
        addresses = configuration.addresses
        timeout = configuration.timeout
        tries = configuration.tries
        timeToLive = configuration.timeToLive
        negativeTimeToLive = configuration.negativeTimeToLive
        retryDelay = configuration.retryDelay
        spread = configuration.spread
        removal = configuration.removal
        maxStale = configuration.maxStale
        readsHostsFile = configuration.readsHostsFile
        maxQueries = configuration.maxQueries
    }

    /// The first record type to ask for a host's addresses, and the second with whether it is only a substitute.
    var families: (first: IPAddress.Family, second: IPAddress.Family?, isSubstitute: Bool) {
        switch addresses {
        case .ipv4: (.v4, nil, false)
        case .ipv6: (.v6, nil, false)
        case .preferIPv4: (.v4, .v6, true)
        case .preferIPv6: (.v6, .v4, true)
        case .all: (.v4, .v6, false)
        }
    }
}
