// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What one entry of the machine is about.
enum ResolveSubject: Hashable, Sendable {
    /// The SRV records of the service.
    case service
    /// The addresses of one kind of one host.
    case addresses(DNSName, IPAddress.Family)
}

/// A service's host and port: what makes two SRV records the same backend.
struct ServiceKey: Hashable, Sendable {
    var target: DNSName
    var port: UInt16
}

/// A subject's schedule and last good answer.
struct ResolveEntry: Sendable {
    enum Phase: Sendable {
        /// Nothing to do before its refresh. → `.readingHosts` or `.asking` when due.
        case resting(until: Duration)
        /// The shell reads the hosts file. → `.resting` if the name is in it, else `.asking`.
        case readingHosts
        /// Questions are under way. → `.resting` by an answer, or when all attempts have failed.
        case asking(ResolveRound)
    }

    /// Entries are numbered as they are made; what is due at the same time is asked in this order.
    let number: Int
    let type: DNSType
    /// Names to try in turn until one has records: more than one with a search list.
    let names: [DNSName]
    var phase: Phase
    /// Last good hosts and ports; used by `.service` only.
    var services = DampedSet<ServiceKey>()
    /// Newest priority and weight of each member of `services`.
    var ranks: [ServiceKey: ServiceRecord] = [:]
    /// Last good addresses; used by `.addresses` only.
    var addresses = DampedSet<IPAddress>()
    /// Failed rounds since the last definite answer.
    var failures = 0
    /// When the last definite answer came.
    var lastAnswer: Duration?
    /// Who gave it: a nameserver, or the hosts file.
    var answeredBy: String?
    /// Why the last round came to nothing, if it did.
    var lastFailure: String?
    /// Whether the first round has ended, in whatever way.
    var isSettled = false

    var isEmpty: Bool { services.isEmpty && addresses.isEmpty }
}

/// One attempt to refresh an entry: several nameservers, several tries.
struct ResolveRound: Sendable {
    /// Which of the entry's names is being asked for.
    var candidate = 0
    /// That name, or what it is an alias of.
    var name: DNSName
    /// How many aliases were followed.
    var hops = 0
    /// Servers still to ask, in order; a server that gave a useless answer is taken out.
    var remaining: [DNSServer]
    var inFlight: [QueryID] = []
    /// When the next server is asked even if the last one is still silent.
    var nextAsk: Duration?
    var lastFailure = "no nameserver is known"
}
