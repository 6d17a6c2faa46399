// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension ResolverSettings: ConfigurationScope {
    /// What may stand in a `resolver` block.
    package static let directives = DirectiveTable<ResolverSettings>(
        block: "resolver", [.choice("type", \.type)] + servers + questions + answers)

    private static let servers: [Directive<ResolverSettings>] = [
        hostList,
        .number("port", \.port, in: 1...65535),
        serviceName,
        .text("file", optional: \.file),
        .choice("file_format", \.fileFormat),
        .names("resolvers", \.parts),
        .choice("rule", \.rule),
    ]

    private static let questions: [Directive<ResolverSettings>] = [
        nameserverList,
        nameserverService,
        .choice("address_family", \.addressFamily),
        timeout,
        .number("tries", \.tries, in: 1...10),
        .flag("etc_hosts", \.readsHostsFile),
        .number("max_queries", \.maxQueries, in: 1...1000),
    ]

    private static let answers: [Directive<ResolverSettings>] = [
        seconds("ttl_min", \.shortestTTL),
        seconds("ttl_max", \.longestTTL),
        seconds("ttl_negative", \.negativeTTL),
        seconds("retry_min", \.firstRetry),
        seconds("retry_max", \.lastRetry),
        .number("spread", \.spread, in: 0...100),
        .number("removal_answers", \.removalAnswers, in: 1...1000),
        .number("removal_answers_most", \.removalAnswersForMost, in: 1...1000),
        seconds("removal_spacing", \.removalSpacing, orZero: true),
        seconds("max_stale", orNever: \.maxStale),
    ]

    /// The types that a directive belongs to.
    static func types(of directive: String) -> [ResolverType] {
        switch directive {
        case "type": ResolverType.allCases
        case "host": [.fixed, .dns]
        case "port": [.fixed, .file, .dns]
        case "file", "file_format": [.file]
        case "resolvers", "rule": [.composite]
        default: [.dns]
        }
    }

    /// Whether a directive means anything here.
    func takes(_ directive: String) -> Bool {
        if directive == "port", service != nil { return false }
        return Self.types(of: directive).contains(type)
    }

    private static let hostList = Directive<ResolverSettings>(
        name: "host", expects: "a list of hosts in double quotes",
        read: { value, resolver throws(ValueError) in
            var hosts: [ResolverHost] = []
            for entry in try value.text().split(separator: ",", omittingEmptySubsequences: false) {
                hosts.append(try ResolverHost(entry))
            }
            resolver.hosts = hosts
        },
        write: { resolver in
            guard !resolver.hosts.isEmpty else { return nil }
            return quoted(resolver.hosts.map(\.description).joined(separator: ","))
        })

    private static let serviceName = Directive<ResolverSettings>(
        name: "srv", expects: ConfigurationValue.serviceExample,
        read: { value, resolver throws(ValueError) in resolver.service = try value.serviceName() },
        write: { $0.service.map(quoted) })

    private static let nameserverList = Directive<ResolverSettings>(
        name: "nameserver", expects: "a list of addresses in double quotes",
        read: { value, resolver throws(ValueError) in resolver.nameservers = try value.nameservers() },
        write: { $0.nameservers.list })

    private static let nameserverService = Directive<ResolverSettings>(
        name: "nameserver_srv", expects: ConfigurationValue.serviceExample,
        read: { value, resolver throws(ValueError) in resolver.nameserverService = try value.serviceName() },
        write: { $0.nameserverService.map(quoted) })

    private static let timeout = Directive<ResolverSettings>(
        name: "timeout_ms", expects: "a whole number from 10 to 60000, in milliseconds",
        read: { value, resolver throws(ValueError) in
            resolver.timeout = .milliseconds(try value.number(in: 10...60_000, unit: .milliseconds))
        },
        write: { TimeUnit.milliseconds.text($0.timeout) })
}

extension ResolverSettings {
    /// A time in seconds, with up to three decimals.
    private static func seconds(
        _ name: String, _ path: Directive<Self>.Path<Duration>, orZero: Bool = false
    ) -> Directive<Self> {
        Directive(
            name: name, expects: "\(ConfigurationValue.times.sentence), in seconds",
            read: { value, resolver throws(ValueError) in
                let time = try value.time(in: .seconds)
                guard orZero || time > .zero else { throw ValueError("0 is out of range; expected more") }
                resolver[keyPath: path] = time
            },
            write: { TimeUnit.seconds.text($0[keyPath: path]) })
    }

    /// The same, where 0 means that it never comes.
    private static func seconds(
        _ name: String, orNever path: Directive<Self>.Path<Duration?>
    ) -> Directive<Self> {
        Directive(
            name: name, expects: "\(ConfigurationValue.times.sentence), in seconds",
            read: { value, resolver throws(ValueError) in
                let time = try value.time(in: .seconds)
                resolver[keyPath: path] = time == .zero ? nil : time
            },
            write: { TimeUnit.seconds.text($0[keyPath: path] ?? .zero) })
    }
}
