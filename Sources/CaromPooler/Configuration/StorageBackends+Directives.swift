// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

extension StorageSettings {
    static let hostList = Directive<StorageSettings>(
        name: "host", expects: "a list of hosts in double quotes",
        read: { value, storage throws(ValueProblem) in
            var hosts: [StorageHost] = []
            for entry in try value.text().split(separator: ",", omittingEmptySubsequences: false) {
                hosts.append(try StorageHost(entry: trimmed(entry)))
            }
            storage.backends = .hosts(hosts)
        },
        write: { storage in
            guard case .hosts(let hosts) = storage.backends, !hosts.isEmpty else { return nil }
            return quoted(hosts.map(\.description).joined(separator: ","))
        })

    static let serviceName = Directive<StorageSettings>(
        name: "srv", expects: "a name such as \"_postgresql._tcp.db.example\"",
        read: { value, storage throws(ValueProblem) in
            let name = try value.text("a name such as \"_postgresql._tcp.db.example\"")
            let labels = name.split(separator: ".", omittingEmptySubsequences: true)
            guard isDomainName(name), labels.count >= 3, labels[0].hasPrefix("_"), labels[1].hasPrefix("_")
            else {
                throw ValueProblem(
                    "\(quoted(name)) is no name of SRV records; expected _service._protocol.domain")
            }
            storage.backends = .service(name)
        },
        write: { storage in
            guard case .service(let name) = storage.backends else { return nil }
            return quoted(name)
        })

    static let hostsFile = Directive<StorageSettings>(
        name: "hosts_file", expects: "a path in double quotes",
        read: { value, storage throws(ValueProblem) in storage.backends = .file(try value.text()) },
        write: { storage in
            guard case .file(let path) = storage.backends else { return nil }
            return quoted(path)
        })

    static let nameserverList = Directive<StorageSettings>(
        name: "nameserver", expects: "a list of addresses in double quotes",
        read: { value, storage throws(ValueProblem) in
            var servers: [NameserverAddress] = []
            for entry in try value.text().split(separator: ",", omittingEmptySubsequences: false) {
                let host = try StorageHost(entry: trimmed(entry))
                guard case .address(let address) = host.location else {
                    throw ValueProblem(
                        "a name server is given by its address, not as \(quoted(trimmed(entry)))")
                }
                servers.append(NameserverAddress(address: address, port: host.port ?? 53))
            }
            storage.nameservers = servers
        },
        write: { storage in
            guard !storage.nameservers.isEmpty else { return nil }
            let entries = storage.nameservers.map {
                StorageHost(.address($0.address), port: $0.port).description
            }
            return quoted(entries.joined(separator: ","))
        })
}

extension StorageHost: CustomStringConvertible {
    /// Reads `[tcp://|unix://]name|[v6]|/directory[:port]`.
    init(entry: String) throws(ValueProblem) {
        guard !entry.isEmpty else { throw ValueProblem("the list has an empty entry") }
        var rest = Substring(entry)
        let wantsUnix = rest.hasPrefix("unix://")
        let wantsTCP = rest.hasPrefix("tcp://")
        if wantsUnix || wantsTCP { rest = rest[rest.firstIndex(of: "/")!...].dropFirst(2) }

        let isUnix = wantsUnix || (rest.hasPrefix("/") && !wantsTCP)
        var name: Substring
        if rest.hasPrefix("["), !isUnix {
            guard let close = rest.firstIndex(of: "]") else {
                throw ValueProblem("\(quoted(entry)) has no ] behind its IPv6 address")
            }
            name = rest[rest.index(after: rest.startIndex)..<close]
            rest = rest[rest.index(after: close)...]
            guard isAddress(String(name), AF_INET6) else {
                throw ValueProblem("\(quoted(String(name))) is no IPv6 address")
            }
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw ValueProblem("\(quoted(entry)) has something other than a port behind the ]")
            }
        } else {
            guard isUnix || !isAddress(String(rest), AF_INET6) else {
                throw ValueProblem(
                    "the IPv6 address \(quoted(String(rest))) needs brackets", hint: "write \"[\(rest)]\"")
            }
            name = rest.prefix { $0 != ":" }
            rest = rest[name.endIndex...]
        }
        if rest.isEmpty {
            port = nil
        } else {
            let digits = rest.dropFirst()
            guard digits.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int(digits),
                (1...65535).contains(number)
            else {
                throw ValueProblem(
                    "\(quoted(String(digits))) in \(quoted(entry)) is no port; expected a whole number from 1 to 65535"
                )
            }
            port = number
        }
        location = try Self.location(of: String(name), isUnix: isUnix, entry: entry)
    }

    private static func location(
        of name: String, isUnix: Bool, entry: String
    ) throws(ValueProblem) -> Location {
        if isUnix {
            // sun_path holds 108 bytes with its NUL; `/.s.PGSQL.65535` takes 15 of them.
            guard name.hasPrefix("/"), name.utf8.count <= 92 else {
                throw ValueProblem("\(quoted(entry)) is no absolute path of at most 92 bytes")
            }
            return .unixDirectory(name)
        }
        if isAddress(name, AF_INET) || isAddress(name, AF_INET6) { return .address(name) }
        guard isDomainName(name), name.utf8.contains(where: { !($0 == 46 || (48...57).contains($0)) }) else {
            throw ValueProblem("\(quoted(name)) is neither an address nor a host name")
        }
        return .name(name)
    }

    /// The entry as a `host` list writes it.
    package var description: String {
        let suffix = port.map { ":\($0)" } ?? ""
        switch location {
        case .address(let address): return (address.contains(":") ? "[\(address)]" : address) + suffix
        case .name(let name): return name + suffix
        case .unixDirectory(let path): return path + suffix
        }
    }
}

private func trimmed(_ text: Substring) -> String {
    var text = text.drop { $0.isWhitespace }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
}

private func isAddress(_ text: String, _ family: Int32) -> Bool {
    var buffer = in6_addr()
    return inet_pton(family, text, &buffer) == 1
}

/// Letters, digits, hyphens and underscores in labels of 1 to 63 bytes, 253 bytes at most, a dot at the end allowed.
private func isDomainName(_ name: String) -> Bool {
    let body = name.hasSuffix(".") ? name.dropLast() : Substring(name)
    guard (1...253).contains(body.utf8.count) else { return false }
    return body.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
        guard (1...63).contains(label.utf8.count), !label.hasPrefix("-"), !label.hasSuffix("-") else {
            return false
        }
        return label.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }
}
