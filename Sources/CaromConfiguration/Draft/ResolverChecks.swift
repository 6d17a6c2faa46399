// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Checks `resolver` blocks: each for itself, and what they say about one another.
struct ResolverChecks {
    private let blocks: [ConfigurationBlock<ResolverSettings>]
    private(set) var findings: ConfigurationFindings
    /// What they say, a server that is listed twice once.
    private(set) var resolvers: [ResolverSettings] = []

    init(_ blocks: [ConfigurationBlock<ResolverSettings>], _ findings: ConfigurationFindings) {
        self.blocks = blocks
        self.findings = findings
    }

    var names: [String] { blocks.map(\.value.name).filter { !$0.isEmpty } }

    mutating func run() {
        var defined: [String: ConfigurationPosition] = [:]
        for block in blocks {
            let name = block.value.name
            if !name.isEmpty, let first = defined.updateValue(block.position, forKey: name) {
                report(block.position, "resolver \(quoted(name)) is already defined at \(first)")
            }
            if !block.isDamaged { check(block) }
            resolvers.append(unify(block))
        }
        reportCircles()
    }

    private mutating func report(_ position: ConfigurationPosition, _ message: String, hint: String? = nil) {
        findings.report(position, message, hint: hint)
    }

    private mutating func check(_ block: ConfigurationBlock<ResolverSettings>) {
        let resolver = block.value
        let name = quoted(resolver.name)
        guard block.given["type"] != nil else {
            let allowed = ResolverType.allCases.map { quoted($0.rawValue) }.joined(separator: ", ")
            return report(block.position, "resolver \(name) needs a type; allowed: \(allowed)")
        }
        let type = quoted(resolver.type.rawValue)
        for (directive, position) in block.given.sorted(by: { $0.key < $1.key }) {
            let types = ResolverSettings.types(of: directive)
            guard !types.contains(resolver.type) else { continue }
            let homes = types.map { quoted($0.rawValue) }.joined(separator: ", ")
            report(
                position, "'\(directive)' has no meaning for a resolver of type \(type)",
                hint: "it belongs to type \(homes)")
        }
        switch resolver.type {
        case .fixed: checkFixed(block)
        case .file: if block.given["file"] == nil { report(block.position, "resolver \(name) needs file") }
        case .dns: checkDNS(block)
        case .composite: checkComposite(block)
        }
    }

    private mutating func checkFixed(_ block: ConfigurationBlock<ResolverSettings>) {
        guard let position = block.given["host"] else {
            return report(block.position, "resolver \(quoted(block.value.name)) needs host")
        }
        for host in block.value.hosts {
            guard case .name(let name) = host.host.location else { continue }
            report(
                position, "host: \(quoted(name)) is a name, and a resolver of type \"static\" has addresses",
                hint: "type \"dns\" looks names up")
        }
    }

    private mutating func checkDNS(_ block: ConfigurationBlock<ResolverSettings>) {
        let resolver = block.value
        let name = quoted(resolver.name)
        switch (block.given["host"], block.given["srv"]) {
        case (nil, nil): report(block.position, "resolver \(name) needs one of host, srv")
        case (_?, let position?): report(position, "resolver \(name) can have only one of host, srv")
        case (nil, _?):
            if let position = block.given["port"] {
                findings.warn(position, "'port' has no effect: SRV records carry the ports")
            }
        case (let position?, nil):
            for host in resolver.hosts where !host.isPlain {
                report(
                    position, "host: \(quoted(host.description)) says more than a host",
                    hint: "names, weights, priorities and attributes belong to type \"static\" and \"file\"")
            }
        }
        if let position = block.given["nameserver_srv"], resolver.nameservers.isEmpty {
            report(position, "nameserver_srv needs nameserver: whom to ask for it")
        }
        order(block, "ttl_min", "ttl_max", resolver.shortestTTL <= resolver.longestTTL)
        order(block, "retry_min", "retry_max", resolver.firstRetry <= resolver.lastRetry)
        order(
            block, "removal_answers", "removal_answers_most",
            resolver.removalAnswers <= resolver.removalAnswersForMost)
    }

    /// What is smaller by its meaning must be so by its value; the other one may be the default.
    private mutating func order(
        _ block: ConfigurationBlock<ResolverSettings>, _ smaller: String, _ larger: String, _ isRight: Bool
    ) {
        guard !isRight, let position = block.given[smaller] ?? block.given[larger],
            let least = ResolverSettings.directives[smaller]?.write(block.value),
            let most = ResolverSettings.directives[larger]?.write(block.value)
        else { return }
        report(position, "\(smaller) \(least) is above \(larger) \(most)")
    }

    private mutating func checkComposite(_ block: ConfigurationBlock<ResolverSettings>) {
        guard let position = block.given["resolvers"], !block.value.parts.isEmpty else {
            return report(
                block.given["resolvers"] ?? block.position,
                "resolver \(quoted(block.value.name)) needs resolvers: names of others, with commas between them"
            )
        }
        var seen: Set<String> = []
        for part in block.value.parts {
            if !seen.insert(part).inserted {
                report(position, "resolvers: \(quoted(part)) is named twice")
            } else if !names.contains(part) {
                reportUndefined(part, at: position, "resolvers: ")
            }
        }
    }

    /// Somebody names a resolver that is not there.
    mutating func reportUndefined(_ name: String, at position: ConfigurationPosition, _ place: String = "") {
        let near = nearest(to: name, among: names)
        let hint = near.map { "did you mean \(quoted($0))?" }
        let known = names.isEmpty ? "" : "; defined: \(names.map(quoted).joined(separator: ", "))"
        report(
            position, "\(place)resolver \(quoted(name)) is not defined\(hint == nil ? known : "")", hint: hint
        )
    }

    /// A composite that is a part of itself, by whatever way, has nothing to say. Each circle is told once.
    private mutating func reportCircles() {
        var parts: [String: (parts: [String], position: ConfigurationPosition)] = [:]
        for block in blocks where block.value.type == .composite && parts[block.value.name] == nil {
            parts[block.value.name] = (block.value.parts, block.given["resolvers"] ?? block.position)
        }
        var cleared: Set<String> = []
        for start in names where !cleared.contains(start) {
            // The way to where we are, and what is still to be seen of each resolver on it.
            var way: [(name: String, rest: ArraySlice<String>)] = [(start, parts[start]?.parts[...] ?? [])]
            while var last = way.popLast() {
                guard let next = last.rest.popFirst() else {
                    cleared.insert(last.name)
                    continue
                }
                way.append(last)
                if let index = way.firstIndex(where: { $0.name == next }) {
                    let circle = (way[index...].map(\.name) + [next]).joined(separator: " → ")
                    if let position = parts[last.name]?.position {
                        report(position, "resolvers: \(quoted(next)) is a part of itself: \(circle)")
                    }
                } else if !cleared.contains(next) {
                    way.append((next, parts[next]?.parts[...] ?? []))
                }
            }
        }
    }

    /// A server that is listed twice is one backend: it gets no second share of the connections.
    private mutating func unify(_ block: ConfigurationBlock<ResolverSettings>) -> ResolverSettings {
        var resolver = block.value
        guard let position = block.given["host"] else { return resolver }
        var hosts = DistinctHosts()
        resolver.hosts = resolver.hosts.filter { host in
            let full = hosts.add(host.host, port: resolver.port(of: host))
            if let full { findings.warn(position, DistinctHosts.warning(full)) }
            return full == nil
        }
        return resolver
    }
}

/// Tells which hosts of a list are the same server.
struct DistinctHosts {
    private var seen: Set<StorageHost> = []

    /// - Returns: the host in full if the list has it already.
    mutating func add(_ host: StorageHost, port: Int) -> StorageHost? {
        var full = host.canonical
        full.port = port
        return seen.insert(full).inserted ? nil : full
    }

    static func warning(_ host: StorageHost) -> String {
        "host: \(quoted(host.description)) is listed twice and counts once"
    }
}
