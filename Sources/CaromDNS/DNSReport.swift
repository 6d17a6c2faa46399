// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Carom

/// What a resolver knows at one moment, beside the set that it has published.
package struct DNSReport: Hashable, Sendable {
    /// Where a backend was learnt, and for how long that holds.
    package struct Source: Hashable, Sendable {
        /// The questions that led to it, in order: `_pg._tcp.example.com SRV`, `db1.example.com A`.
        package let questions: [String]
        /// Who answered the last of them: a nameserver, or `/etc/hosts`.
        package let answeredBy: String
        /// The time until one of them is asked again; none while one is under way.
        package internal(set) var timeLeft: Duration
    }

    /// A question that is not answered any more.
    package struct Trouble: Hashable, Sendable {
        package let question: String
        package let reason: String
        /// Attempts that failed since the last answer.
        package let failures: Int
    }

    /// A set was published.
    package var hasPublished = false
    /// The age of the oldest answer in use.
    package var age: Duration?
    package var hosts: [DNSHost] = []
    package var sources: [BackendID: Source] = [:]
    /// The one that has failed most often; the first among equals.
    package var trouble: Trouble?

    /// The same, this much later.
    func after(_ elapsed: Duration) -> DNSReport {
        var report = self
        report.age = age.map { $0 + elapsed }
        report.hosts = hosts.map { host in
            DNSHost(
                name: host.name, addresses: host.addresses, next: max(.zero, host.next - elapsed),
                asked: host.asked, waiting: host.waiting)
        }
        for (backend, source) in sources {
            report.sources[backend]?.timeLeft = max(.zero, source.timeLeft - elapsed)
        }
        return report
    }
}

extension ResolveMachine {
    /// What is known now, and since when.
    func report(now: Duration) -> DNSReport {
        DNSReport(
            hasPublished: published != nil, age: age(now: now), hosts: hosts(now: now),
            sources: sources(now: now), trouble: trouble)
    }

    private func sources(now: Duration) -> [BackendID: DNSReport.Source] {
        guard let published else { return [:] }
        var hosts: [String: DNSName] = [:]
        for case .addresses(let name, _) in entries.keys { hosts[name.description] = name }
        var sources: [BackendID: DNSReport.Source] = [:]
        for backend in published.backends {
            let host: DNSName?
            switch settings.root {
            case .literal: host = nil
            case .host(_, let names, _): host = names[0]
            case .service: host = hosts[backend.name]
            }
            guard let host, case .ip(let address, _) = backend.address,
                let family = IPAddress(address)?.family,
                let last = entries[.addresses(host, family)]
            else { continue }
            let way = [entries[.service], last].compactMap(\.self)
            sources[backend.id] = DNSReport.Source(
                questions: way.map(\.question.description), answeredBy: last.answeredBy ?? "",
                timeLeft: way.map { $0.timeLeft(now: now) }.min() ?? .zero)
        }
        return sources
    }

    private var trouble: DNSReport.Trouble? {
        let failing = entries.values.filter { $0.failures > 0 }
        let worst = failing.min { ($1.failures, $0.number) < ($0.failures, $1.number) }
        return worst.map { entry in
            DNSReport.Trouble(
                question: entry.question.description, reason: entry.lastFailure ?? "",
                failures: entry.failures)
        }
    }
}

extension ResolveEntry {
    fileprivate var question: DNSQuestion { DNSQuestion(name: names[0], type: type) }

    fileprivate func timeLeft(now: Duration) -> Duration {
        switch phase {
        case .resting(let until): max(.zero, until - now)
        case .readingHosts, .asking: .zero
        }
    }
}
