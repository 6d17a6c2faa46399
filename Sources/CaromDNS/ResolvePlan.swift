// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// A configuration made ready to run: machine settings and nameservers.
struct ResolvePlan: Sendable {
    /// How nameservers are found through DNS.
    struct Finder: Sendable {
        var settings: ResolveSettings
        var bootstrap: [DNSServer]
    }

    var backends: ResolveSettings
    /// Nameservers for the backends; empty while a finder has not found any.
    var servers: [DNSServer]
    var finder: Finder?

    /// Reads the system configuration if that is asked for. Throws `DNSError`.
    init(_ configuration: DNSConfiguration) throws(DNSError) {
        switch configuration.servers {
        case .fixed(let list):
            servers = list
            backends = try ResolveSettings(configuration)
        case .system:
            let system = SystemConfiguration(parsing: SystemFiles.text("/etc/resolv.conf") ?? "")
            backends = try ResolveSettings(configuration, search: system.search)
            // The C library's rule: without an entry, the nameserver is on this machine.
            servers = system.servers.isEmpty ? [try DNSServer(address: "127.0.0.1")] : system.servers
        case .discovered(let service, let bootstrap):
            backends = try ResolveSettings(configuration)
            servers = []
            var search = configuration
            search.subject = .service(service)
            finder = Finder(settings: try ResolveSettings(search), bootstrap: bootstrap)
        }
    }
}

/// What a resolver can be asked while it runs.
final class ResolveStatus: Sendable {
    private struct State {
        var lastAnswer: ContinuousClock.Instant?
        var hosts: [DNSHost] = []
        /// When the hosts were told.
        var toldAt = ContinuousClock.now
    }

    private let state = Mutex(State())

    func update(age: Duration?, hosts: [DNSHost]) {
        let now = ContinuousClock.now
        state.withLock { state in
            state.lastAnswer = age.map { now.advanced(by: .zero - $0) }
            state.hosts = hosts
            state.toldAt = now
        }
    }

    var age: Duration? {
        state.withLock { $0.lastAnswer }.map { $0.duration(to: .now) }
    }

    var hosts: [DNSHost] {
        state.withLock { state in
            let elapsed = state.toldAt.duration(to: .now)
            return state.hosts.map { host in
                DNSHost(
                    name: host.name, addresses: host.addresses, next: max(.zero, host.next - elapsed),
                    asked: host.asked, waiting: host.waiting)
            }
        }
    }
}
