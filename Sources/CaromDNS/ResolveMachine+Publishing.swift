// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

extension ResolveMachine {
    /// Drops answers that are older than allowed.
    mutating func expire(now: Duration) -> [ResolveAction] {
        guard let limit = settings.maxStale,
            entries.values.contains(where: { !$0.isEmpty && $0.lastAnswer.map { now - $0 >= limit } ?? false }
            )
        else { return [] }
        var actions: [ResolveAction] = []
        for subject in orderedSubjects {
            guard let entry = entries[subject], !entry.isEmpty, let last = entry.lastAnswer,
                now - last >= limit
            else { continue }
            hasChanged = true
            entries[subject]?.services.removeAll()
            entries[subject]?.ranks.removeAll()
            entries[subject]?.addresses.removeAll()
            let question = DNSQuestion(name: entry.names[0], type: entry.type)
            actions.append(.report(.expired(question: question.description, age: now - last)))
        }
        return actions
    }

    /// Makes entries for what is wanted now and ends those that are not.
    mutating func adjustEntries(now: Duration) -> [ResolveAction] {
        let wanted = addWantedEntries(now: now)
        var actions: [ResolveAction] = []
        for subject in orderedSubjects where !wanted.contains(subject) {
            actions += endRound(subject, except: nil)
            entries[subject] = nil
        }
        return actions
    }

    /// Makes the entries that are missing and returns all that are wanted.
    @discardableResult mutating func addWantedEntries(now: Duration) -> Set<ResolveSubject> {
        var wanted: Set<ResolveSubject> = []
        switch settings.root {
        case .literal: break
        case .service(let names):
            want(.service, names: names, type: .srv, &wanted, now: now)
            let targets = Set(entries[.service]?.services.members.map(\.target) ?? [])
            for target in targets.sorted(by: { $0.wire.lexicographicallyPrecedes($1.wire) }) {
                wantAddresses(of: target, names: [target], &wanted, now: now)
            }
        case .host(_, let names, _):
            wantAddresses(of: names[0], names: names, &wanted, now: now)
        }
        return wanted
    }

    private mutating func wantAddresses(
        of host: DNSName, names: [DNSName], _ wanted: inout Set<ResolveSubject>, now: Duration
    ) {
        let families = settings.families
        let first = ResolveSubject.addresses(host, families.first)
        want(first, names: names, type: families.first == .v4 ? .a : .aaaa, &wanted, now: now)
        guard let second = families.second else { return }
        // A substitute is asked for only once it is clear that the preferred kind is missing.
        let isMissing = entries[first].map { $0.isSettled && $0.addresses.isEmpty } ?? false
        guard !families.isSubstitute || isMissing else { return }
        want(.addresses(host, second), names: names, type: second == .v4 ? .a : .aaaa, &wanted, now: now)
    }

    private mutating func want(
        _ subject: ResolveSubject, names: [DNSName], type: DNSType, _ wanted: inout Set<ResolveSubject>,
        now: Duration
    ) {
        wanted.insert(subject)
        if entries[subject] == nil {
            entries[subject] = ResolveEntry(
                number: nextEntryNumber(), type: type, names: names, phase: .resting(until: now))
        }
    }

    /// Publishes what is known if it differs from what was published.
    mutating func publish(now: Duration) -> [ResolveAction] {
        if published == nil {
            let isComplete = entries.values.allSatisfy(\.isSettled)
            guard isComplete || holdUntil.map({ $0 <= now }) ?? false else { return [] }
        } else if !hasChanged {
            return []
        }
        let backends = currentBackends()
        // Nothing found is news only if nameservers said so.
        guard published != nil || !backends.isEmpty || entries.values.allSatisfy({ $0.lastAnswer != nil })
        else { return [] }
        let set = BackendSet(backends)
        guard set != published else { return [] }
        published = set
        return [.publish(set), .report(.published(backends: backends.count))]
    }

    private func currentBackends() -> [Backend] {
        switch settings.root {
        case .literal(let address, let port):
            return [Backend(address: .ip(address.description, port: port))]
        case .host(let text, let names, let port):
            let name = text.last == "." && text.count > 1 ? String(text.dropLast()) : text
            return knownAddresses(of: names[0]).map {
                Backend(name: name, address: .ip($0.description, port: port))
            }
        case .service:
            guard let entry = entries[.service] else { return [] }
            let records = entry.ranks.values.sorted {
                if $0.priority != $1.priority { return $0.priority < $1.priority }
                if $0.target != $1.target { return $0.target.wire.lexicographicallyPrecedes($1.target.wire) }
                return $0.port < $1.port
            }
            // Weight 0 is "hardly ever" beside others (RFC 2782); alone it says nothing.
            let weighted = Set(records.filter { $0.weight > 0 }.map(\.priority))
            return records.flatMap { record in
                knownAddresses(of: record.target).map {
                    Backend(
                        name: record.target.description, address: .ip($0.description, port: record.port),
                        priority: Int(record.priority),
                        weight: weighted.contains(record.priority) ? Int(record.weight) : 1)
                }
            }
        }
    }

    /// The addresses to use for a host, in a fixed order.
    private func knownAddresses(of host: DNSName) -> [IPAddress] {
        let families = settings.families
        func known(_ family: IPAddress.Family) -> [IPAddress] {
            (entries[.addresses(host, family)]?.addresses.members ?? []).sorted {
                $0.description < $1.description
            }
        }
        let first = known(families.first)
        guard let second = families.second, !families.isSubstitute || first.isEmpty else { return first }
        return first + known(second)
    }
}
