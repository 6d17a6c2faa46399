// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension ResolveMachine {
    /// Takes in records of the type asked for, and addresses that came along with them.
    mutating func accept(
        _ records: [DNSRecord], also extra: [DNSRecord], for subject: ResolveSubject, ttl: UInt32,
        now: Duration
    ) {
        let wait = Duration.seconds(Int64(ttl))
        switch subject {
        case .addresses:
            let addresses = records.compactMap { record -> IPAddress? in
                if case .address(let address) = record.content { return address }
                return nil
            }
            acceptAddresses(subject, Set(addresses), ttl: wait, now: now)
        case .service:
            let services = records.compactMap { record -> ServiceRecord? in
                if case .service(let service) = record.content { return service }
                return nil
            }
            acceptServices(services, ttl: wait, now: now)
            acceptExtra(extra, now: now)
        }
    }

    /// A definite answer for the service. A root target means "not offered here" (RFC 2782).
    mutating func acceptServices(_ services: [ServiceRecord], ttl: Duration, now: Duration) {
        guard var entry = entries[.service] else { return }
        var newest: [ServiceKey: ServiceRecord] = [:]
        for service in services where service.target != .root {
            let key = ServiceKey(target: service.target, port: service.port)
            // The same host and port twice: the more important record counts.
            if let other = newest[key], other.priority <= service.priority { continue }
            newest[key] = service
        }
        let members = entry.services.apply(
            Set(newest.keys), now: now, rule: settings.removal, replacing: false)
        let ranks = entry.ranks.filter { entry.services.contains($0.key) }.merging(newest) { $1 }
        hasChanged = hasChanged || members || ranks != entry.ranks
        entry.ranks = ranks
        finish(&entry, ttl: ttl, now: now)
        entries[.service] = entry
    }

    /// A definite answer for one kind of address of one host.
    mutating func acceptAddresses(
        _ subject: ResolveSubject, _ addresses: Set<IPAddress>, ttl: Duration, now: Duration
    ) {
        guard var entry = entries[subject] else { return }
        let members = entry.addresses.apply(
            addresses, now: now, rule: settings.removal, replacing: !addresses.isEmpty)
        hasChanged = hasChanged || members
        finish(&entry, ttl: ttl, now: now)
        entries[subject] = entry
    }

    private mutating func finish(_ entry: inout ResolveEntry, ttl: Duration, now: Duration) {
        entry.failures = 0
        entry.lastFailure = nil
        hasChanged = hasChanged || !entry.isSettled
        entry.isSettled = true
        entry.lastAnswer = now
        let clamped = min(max(ttl, settings.timeToLive.lowerBound), settings.timeToLive.upperBound)
        entry.phase = .resting(until: now + stretched(clamped))
        if holdUntil == nil { holdUntil = now + settings.timeout }
    }

    /// Addresses in the additional section spare the questions for them. Only those of our own hosts are believed.
    private mutating func acceptExtra(_ extra: [DNSRecord], now: Duration) {
        var found: [ResolveSubject: (addresses: Set<IPAddress>, ttl: UInt32)] = [:]
        for record in extra {
            guard case .address(let address) = record.content else { continue }
            let subject = ResolveSubject.addresses(record.name, address.family)
            var known = found[subject] ?? ([], .max)
            known.addresses.insert(address)
            known.ttl = min(known.ttl, record.ttl)
            found[subject] = known
        }
        guard !found.isEmpty else { return }
        addWantedEntries(now: now)
        let answeredBy = entries[.service]?.answeredBy
        for subject in orderedSubjects {
            guard let known = found[subject], let entry = entries[subject] else { continue }
            // An answer to a question under way will be fresher and complete.
            if case .asking = entry.phase { continue }
            entries[subject]?.answeredBy = answeredBy
            acceptAddresses(subject, known.addresses, ttl: .seconds(Int64(known.ttl)), now: now)
        }
    }
}
