// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A host name that is followed, and what is known of it.
package struct DNSHost: Hashable, Sendable {
    package let name: String
    /// Its addresses, in order; empty if none is known.
    package let addresses: [String]
    /// The time until the next question; none while one is under way.
    package let next: Duration

    package init(name: String, addresses: [String], next: Duration) {
        self.name = name
        self.addresses = addresses
        self.next = next
    }
}

extension ResolveMachine {
    /// The host names that are followed: that of the configuration, or those that the service's records name.
    func hosts(now: Duration) -> [DNSHost] {
        var hosts: [DNSName: DNSHost] = [:]
        for (subject, entry) in entries {
            guard case .addresses(let name, _) = subject else { continue }
            var next = Duration.zero
            if case .resting(let until) = entry.phase { next = max(.zero, until - now) }
            let known = hosts[name]
            let addresses = (known?.addresses ?? []) + entry.addresses.members.map(\.description)
            hosts[name] = DNSHost(
                name: name.description, addresses: addresses.sorted(), next: min(known?.next ?? next, next))
        }
        return hosts.values.sorted { $0.name < $1.name }
    }
}
