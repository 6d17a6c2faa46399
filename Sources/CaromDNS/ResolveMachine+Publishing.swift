// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom

extension ResolveMachine {
    /// Drops answers that are older than allowed.
    mutating func expire(now: Duration) -> [ResolveAction] {
        guard let limit = settings.maxStale else { return [] }
        var actions: [ResolveAction] = []
        for subject in entries.keys.sorted(by: { $0.order < $1.order }) {
            guard let entry = entries[subject], !entry.isEmpty, let last = entry.lastAnswer,
                now - last >= limit
            else { continue }
            entries[subject]?.services.removeAll()
            entries[subject]?.ranks.removeAll()
            entries[subject]?.addresses.removeAll()
            let question = DNSQuestion(name: entry.names[0], type: entry.type)
            actions.append(.note(.expired(question: question.description, age: now - last)))
        }
        return actions
    }

    /// Makes entries for what is wanted now and ends those that are not.
    mutating func adjustEntries(now: Duration) -> [ResolveAction] {
        let wanted = addWantedEntries(now: now)
        var actions: [ResolveAction] = []
        let ended = entries.keys.filter { !wanted.contains($0) }
        for subject in ended.sorted(by: { $0.order < $1.order }) {
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
            for target in Set(entries[.service]?.services.members.map(\.target) ?? []) {
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
            entries[subject] = ResolveEntry(type: type, names: names, phase: .resting(until: now))
        }
    }

    /// Publishes what is known if it differs from what was published.
    mutating func publish(now: Duration) -> [ResolveAction] {
        let backends = currentBackends()
        if published == nil {
            let all = entries.values
            let isComplete = all.allSatisfy(\.isSettled)
            guard isComplete || holdUntil.map({ $0 <= now }) ?? false else { return [] }
            // Nothing found is news only if nameservers said so.
            guard !backends.isEmpty || all.allSatisfy({ $0.lastAnswer != nil }) else { return [] }
        }
        let set = BackendSet(backends)
        guard set != published else { return [] }
        published = set
        return [.publish(set), .note(.published(backends: backends.count))]
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
                ($0.priority, $0.target.description, $0.port) < ($1.priority, $1.target.description, $1.port)
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
