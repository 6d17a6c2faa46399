// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A host name that is followed, and what is known of it.
package struct DNSHost: Hashable, Sendable {
    package let name: String
    /// Its addresses, in order; empty if none is known.
    package let addresses: [String]
    /// The time until the next question; none while one is under way.
    package let next: Duration
    /// Questions about it that are under way.
    package let asked: Int
    /// Questions that are due and wait for others to end.
    package let waiting: Int

    package init(name: String, addresses: [String], next: Duration, asked: Int = 0, waiting: Int = 0) {
        self.name = name
        self.addresses = addresses
        self.next = next
        self.asked = asked
        self.waiting = waiting
    }
}

extension ResolveMachine {
    /// The host names that are followed: that of the configuration, or those that the service's records name.
    func hosts(now: Duration) -> [DNSHost] {
        var hosts: [DNSName: DNSHost] = [:]
        for (subject, entry) in entries {
            guard case .addresses(let name, _) = subject else { continue }
            var (next, asked, waiting) = (Duration.zero, 0, 0)
            switch entry.phase {
            case .resting(let until):
                next = max(.zero, until - now)
                waiting = until <= now ? 1 : 0
            case .readingHosts: break
            case .asking(let round): asked = round.inFlight.count
            }
            let known = hosts[name]
            let addresses = (known?.addresses ?? []) + entry.addresses.members.map(\.description)
            hosts[name] = DNSHost(
                name: name.description, addresses: addresses.sorted(), next: min(known?.next ?? next, next),
                asked: (known?.asked ?? 0) + asked, waiting: (known?.waiting ?? 0) + waiting)
        }
        return hosts.values.sorted { $0.name < $1.name }
    }
}
