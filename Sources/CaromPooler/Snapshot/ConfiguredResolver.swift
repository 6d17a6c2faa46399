// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromDNS
import CaromFile

/// A resolver of the configuration as one of the library: however many pools listen, it runs once.
final class ConfiguredResolver: Resolver {
    let settings: ResolverSettings
    /// What of it follows names.
    let followers: [DNSResolver]
    let findings: ResolverFindings
    private let parts: [ConfiguredResolver]
    private let shared: SharedResolver
    /// Ends when the configuration has no use for it any more.
    private let use: (stream: AsyncStream<Never>, continuation: AsyncStream<Never>.Continuation)

    /// - Parameters:
    ///   - parts: those that a composite puts together, in the order of its settings.
    ///   - drained: what pools do not hear of.
    /// - Throws: `DNSError` when a name is none, or when no thread can be had.
    init(
        _ resolver: ResolverSettings, parts: [ConfiguredResolver], drained: DrainedServers, log: PoolerLog
    ) throws(DNSError) {
        settings = resolver
        self.parts = parts
        use = AsyncStream.makeStream(of: Never.self)
        let title = resolver.title
        let findings = ResolverFindings(drained: drained) { line in
            log.info("\(title): \(line)", in: LogContext(.resolver))
        }
        self.findings = findings
        var followers: [DNSResolver] = []
        let base: any Resolver
        switch resolver.type {
        case .fixed: base = StaticResolver(resolver.hosts.compactMap { Self.backend($0, of: resolver) })
        case .file: base = Self.file(resolver, findings, log)
        case .dns: base = try Self.dns(resolver, log, &followers)
        case .composite:
            let rule: CompositeResolver.Rule =
                switch resolver.rule {
                case .merge: .merge
                case .fallback: .fallback
                }
            base = CompositeResolver(parts, rule: rule)
        }
        self.followers = followers
        shared = SharedResolver(Followed(base: base, findings: findings))
    }

    /// A resolver whose findings are kept.
    private struct Followed: Resolver {
        let base: any Resolver
        let findings: ResolverFindings

        func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async {
            await findings.follow(base, publish)
        }
    }

    /// Keeps it running, whether pools listen or not, until it is retired: pools that come and go do not have it begin anew, with less than
    /// it knew.
    func keep() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.run { _ in } }
            group.addTask { for await _ in self.use.stream {} }
            await group.next()
            group.cancelAll()
        }
    }

    /// The configuration has no use for it any more; pools that still listen run it themselves.
    func retire() { use.continuation.finish() }

    /// What it knows now.
    var report: ResolverReport {
        let (reports, parts) = (followers.map(\.report), parts.map(\.report))
        let servers = findings.servers?.map { found in
            let source = source(of: found.backend, reports, parts)
            return ResolverReport.Server(
                backend: found.backend, source: source.text, timeLeft: source.timeLeft, age: found.age,
                isDrained: found.isDrained)
        }
        let own = findings.trouble
        let troubles =
            reports.compactMap(\.trouble).map { ($0.failures, "\($0.question): \($0.reason)") }
            + parts.compactMap { part in part.trouble.map { (part.failures, "\(part.title): \($0)") } }
            + (own.reason.map { [(own.failures, $0)] } ?? [])
        let worst = troubles.max { $0.0 < $1.0 }
        return ResolverReport(
            name: settings.name, title: settings.title, type: settings.type, servers: servers,
            isComplete: servers != nil && reports.allSatisfy(\.hasPublished)
                && parts.allSatisfy(\.isComplete),
            failures: worst?.0 ?? 0, trouble: worst?.1)
    }

    /// How a server was learnt, and for how long that holds.
    private func source(
        of backend: Backend, _ reports: [DNSReport], _ parts: [ResolverReport]
    ) -> (text: String, timeLeft: Duration?) {
        switch settings.type {
        case .fixed: return ("configuration", nil)
        case .file: return ("file \(settings.file ?? "")", nil)
        case .dns:
            guard let source = reports.lazy.compactMap({ $0.sources[backend.id] }).first else {
                return ("configuration", nil)
            }
            let questions = source.questions.joined(separator: ", ")
            return ("\(questions) at \(source.answeredBy)", source.timeLeft)
        case .composite:
            for part in parts {
                guard let found = part.servers?.first(where: { $0.backend.id == backend.id }) else {
                    continue
                }
                return ("\(part.title): \(found.source)", found.timeLeft)
            }
            return ("", nil)
        }
    }

    func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async { await shared.run(publish) }

    private static func file(_ resolver: ResolverSettings, _ findings: ResolverFindings, _ log: PoolerLog)
        -> FileResolver
    {
        let (title, path) = (resolver.title, resolver.file ?? "")
        let format: FileResolver.Format? =
            switch resolver.fileFormat {
            case .automatic: nil
            case .text: .text
            case .json: .json
            }
        return FileResolver(
            path: path, format: format, defaultPort: UInt16(clamping: resolver.port),
            onProblem: { problem in
                findings.failed("\(problem)")
                log.error("\(title): \(path): \(problem)", in: LogContext(.resolver))
            }, onSuccess: { findings.recovered() })
    }

    /// SRV records, or a list of hosts: addresses are known, every name is followed.
    private static func dns(
        _ resolver: ResolverSettings, _ log: PoolerLog, _ followers: inout [DNSResolver]
    ) throws(DNSError) -> any Resolver {
        let logger = log.libraryLogger(label: resolver.title, phase: .resolver)
        func follow(_ subject: DNSConfiguration.Subject) throws(DNSError) -> DNSResolver {
            let made = try DNSResolver(DNSConfiguration(subject, resolver), log: .logging(to: logger))
            followers.append(made)
            return made
        }
        if let service = resolver.service { return try follow(.service(service)) }
        var fixed: [Backend] = []
        var named: [any Resolver] = []
        for host in resolver.hosts {
            if let backend = backend(host, of: resolver) { fixed.append(backend) }
            if case .name(let name) = host.host.location {
                let made = try follow(.host(name, port: UInt16(clamping: resolver.port(of: host))))
                named.append(
                    host.attributes.isEmpty
                        ? made : LabelledResolver(resolver: made, attributes: host.attributes))
            }
        }
        if named.isEmpty { return StaticResolver(fixed) }
        let known: [any Resolver] = fixed.isEmpty ? [] : [StaticResolver(fixed)]
        return CompositeResolver(known + named, rule: .merge)
    }

    /// The backend at a literal address; nil for a name.
    private static func backend(_ host: ResolverHost, of resolver: ResolverSettings) -> Backend? {
        let port = UInt16(clamping: resolver.port(of: host))
        let address: BackendAddress
        switch host.host.location {
        case .address(let literal): address = .ip(literal, port: port)
        case .unixDirectory(let directory): address = .unix(path: "\(directory)/.s.PGSQL.\(port)")
        case .name: return nil
        }
        return Backend(
            name: host.name, address: address, priority: host.priority ?? 0, weight: host.weight ?? 1,
            attributes: host.attributes)
    }
}

extension DNSConfiguration {
    /// How the names of a resolver are looked up.
    init(_ subject: Subject, _ resolver: ResolverSettings) throws(DNSError) {
        self.init(subject)
        var nameservers: [DNSServer] = []
        for server in resolver.nameservers {
            nameservers.append(
                try DNSServer(address: server.address, port: UInt16(clamping: server.port)))
        }
        if let service = resolver.nameserverService {
            servers = .discovered(service: service, bootstrap: nameservers)
        } else if !nameservers.isEmpty {
            servers = .fixed(nameservers)
        }
        addresses = Addresses(resolver.addressFamily)
        timeout = resolver.timeout
        tries = resolver.tries
        timeToLive = resolver.shortestTTL...resolver.longestTTL
        negativeTimeToLive = resolver.negativeTTL
        retryDelay = resolver.firstRetry...resolver.lastRetry
        spread = Double(resolver.spread) / 100
        removal = DNSRemovalRule(
            answers: resolver.removalAnswers, answersForMost: resolver.removalAnswersForMost,
            spacing: resolver.removalSpacing)
        maxStale = resolver.maxStale
        readsHostsFile = resolver.readsHostsFile
        maxQueries = resolver.maxQueries
    }
}

extension DNSConfiguration.Addresses {
    fileprivate init(_ family: AddressFamily) {
        switch family {
        case .ipv4: self = .ipv4
        case .ipv6: self = .ipv6
        case .preferIPv4: self = .preferIPv4
        case .preferIPv6: self = .preferIPv6
        case .all: self = .all
        }
    }
}
