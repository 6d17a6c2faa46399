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
    private let state = Mutex((report: DNSReport(), toldAt: ContinuousClock.now))

    func update(_ report: DNSReport) {
        let now = ContinuousClock.now
        state.withLock { $0 = (report, now) }
    }

    var report: DNSReport {
        let (report, toldAt) = state.withLock { $0 }
        return report.after(toldAt.duration(to: .now))
    }
}
