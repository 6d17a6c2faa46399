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
    private let shared: SharedResolver

    /// - Parameter parts: those that a composite puts together, in the order of its settings.
    /// - Throws: `DNSError` when a name is none, or when no thread can be had.
    init(_ resolver: ResolverSettings, parts: [ConfiguredResolver], log: PoolerLog) throws(DNSError) {
        settings = resolver
        var followers: [DNSResolver] = []
        let base: any Resolver
        switch resolver.type {
        case .fixed: base = StaticResolver(resolver.hosts.compactMap { Self.backend($0, of: resolver) })
        case .file: base = Self.file(resolver, log)
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
        shared = SharedResolver(base)
    }

    func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async { await shared.run(publish) }

    private static func file(_ resolver: ResolverSettings, _ log: PoolerLog) -> FileResolver {
        let (title, path) = (resolver.title, resolver.file ?? "")
        let format: FileResolver.Format? =
            switch resolver.fileFormat {
            case .automatic: nil
            case .text: .text
            case .json: .json
            }
        return FileResolver(path: path, format: format, defaultPort: UInt16(clamping: resolver.port)) {
            log.error("\(title): \(path): \($0)", in: LogContext(.resolver))
        }
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
        for host in resolver.hosts {
            if let backend = backend(host, of: resolver) { fixed.append(backend) }
            if case .name(let name) = host.host.location {
                _ = try follow(.host(name, port: UInt16(clamping: resolver.port(of: host))))
            }
        }
        if followers.isEmpty { return StaticResolver(fixed) }
        let known: [any Resolver] = fixed.isEmpty ? [] : [StaticResolver(fixed)]
        return CompositeResolver(known + followers, rule: .merge)
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
