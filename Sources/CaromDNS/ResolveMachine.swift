// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

/// Decides what to ask when, what to believe, and when to publish. Pure: no clock, no sockets, its own random numbers.
///
/// Every subject (the service, and each kind of address of each host) is an entry that refreshes on its own
/// schedule: after its TTL, clamped and stretched at random. Only definite answers change what is known.
struct ResolveMachine: Sendable {
    let settings: ResolveSettings
    /// Nameservers, best first.
    private(set) var servers: [DNSServer]
    var entries: [ResolveSubject: ResolveEntry] = [:]
    var queries: [QueryID: Query] = [:]
    var published: BackendSet?
    /// Until then the first set waits for the addresses that are still missing.
    var holdUntil: Duration?
    private var lastQuery: UInt64 = 0
    private var random: SeededRandom
    private var lastEntry = 0
    private var isStarted = false
    /// Whether what is wanted or known may have changed since the last event.
    var hasChanged = true

    /// A question under way.
    struct Query: Sendable {
        let subject: ResolveSubject
        let question: DNSQuestion
        let server: DNSServer
        let askedAt: Duration
    }

    init(_ settings: ResolveSettings, servers: [DNSServer], seed: UInt64) {
        self.settings = settings
        self.servers = servers
        random = SeededRandom(seed: seed)
    }

    /// Begins; while no servers are known, only the hosts file is read.
    mutating func start(now: Duration) -> [ResolveAction] {
        isStarted = true
        return proceed(now: now)
    }

    /// Replaces the nameservers; questions under way go on.
    mutating func setServers(_ list: [DNSServer], now: Duration) -> [ResolveAction] {
        guard Set(list) != Set(servers) else { return [] }
        let hadNone = servers.isEmpty
        // The one that proved itself last stays in front.
        let best = servers.first.flatMap { list.contains($0) ? $0 : nil }
        servers = (best.map { [$0] } ?? []) + list.filter { $0 != best }
        var actions: [ResolveAction] = [.report(.serversChanged(servers))]
        if hadNone {
            for (subject, entry) in entries {
                if case .resting = entry.phase { entries[subject]?.phase = .resting(until: now) }
            }
        }
        actions += proceed(now: now)
        return actions
    }

    /// A query has ended. Results of dropped queries are ignored.
    mutating func received(_ result: QueryResult, for id: QueryID, now: Duration) -> [ResolveAction] {
        guard let query = queries.removeValue(forKey: id) else { return [] }
        var actions = conclude(query, id, result, now: now)
        actions += proceed(now: now)
        return actions
    }

    /// The hosts file has been read.
    mutating func foundHosts(_ addresses: [IPAddress], now: Duration) -> [ResolveAction] {
        var actions: [ResolveAction] = []
        if !addresses.isEmpty { actions.append(.report(.foundInHostsFile(addresses: addresses.count))) }
        for subject in orderedSubjects {
            guard case .readingHosts = entries[subject]?.phase, case .addresses(_, let family) = subject
            else { continue }
            if addresses.isEmpty {
                actions += beginAsking(subject, now: now)
            } else {
                entries[subject]?.answeredBy = "/etc/hosts"
                let own = addresses.filter { $0.family == family }
                acceptAddresses(subject, Set(own), ttl: settings.timeToLive.lowerBound, now: now)
            }
        }
        actions += proceed(now: now)
        return actions
    }

    /// Does whatever is due.
    mutating func tick(now: Duration) -> [ResolveAction] {
        proceed(now: now)
    }

    /// How old the oldest of the answers in use is; nil before the first answer.
    func age(now: Duration) -> Duration? {
        entries.values.compactMap(\.lastAnswer).min().map { now - $0 }
    }

    /// When `tick` must be called next; nil if nothing is pending but answers.
    func nextWake(now: Duration) -> Duration? {
        guard isStarted else { return nil }
        var next: Duration?
        func consider(_ time: Duration?) {
            guard let time else { return }
            next = min(next ?? time, time)
        }
        let hasRoom = queries.count < settings.maxQueries
        for entry in entries.values {
            switch entry.phase {
            // What is due but has no room waits for a query to end, not for a time.
            case .resting(let until): consider(until > now || hasRoom ? until : nil)
            case .readingHosts: break
            case .asking(let round): consider(round.nextAsk.flatMap { $0 > now || hasRoom ? $0 : nil })
            }
            if let stale = settings.maxStale, let last = entry.lastAnswer, !entry.isEmpty {
                consider(last + stale)
            }
        }
        if published == nil, let holdUntil, holdUntil > now { consider(holdUntil) }
        return next
    }

    /// The common end of every event: drop what is too old, know whom to ask, ask, publish.
    private mutating func proceed(now: Duration) -> [ResolveAction] {
        guard isStarted else { return [] }
        var actions = expire(now: now)
        if hasChanged { actions += adjustEntries(now: now) }
        actions += askDue(now: now)
        actions += publish(now: now)
        hasChanged = false
        return actions
    }

    // MARK: - Small services for the extensions

    mutating func makeQuery(_ query: Query) -> QueryID {
        lastQuery += 1
        let id = QueryID(value: lastQuery)
        queries[id] = query
        return id
    }

    /// A new entry's number.
    mutating func nextEntryNumber() -> Int {
        lastEntry += 1
        return lastEntry
    }

    /// All subjects in the order of their making, for traces that can be repeated.
    var orderedSubjects: [ResolveSubject] {
        entries.sorted { $0.value.number < $1.value.number }.map(\.key)
    }

    /// A wait stretched by a random part of itself.
    mutating func stretched(_ wait: Duration) -> Duration {
        wait * (1 + settings.spread * Double.random(in: 0..<1, using: &random))
    }

    /// A server that gave a definite answer is asked first from now on.
    mutating func prefer(_ server: DNSServer) {
        guard let index = servers.firstIndex(of: server), index > 0 else { return }
        servers.remove(at: index)
        servers.insert(server, at: 0)
    }
}
