// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension ConfigurationValue {
    static let serviceExample = "a name such as \"_postgresql._tcp.db.example\""

    /// The value as the name of SRV records.
    func serviceName() throws(ValueError) -> String {
        let name = try text(Self.serviceExample)
        let labels = name.split(separator: ".", omittingEmptySubsequences: true)
        guard HostPort.isDomainName(name), labels.count >= 3, labels[0].hasPrefix("_"),
            labels[1].hasPrefix("_")
        else {
            throw ValueError(
                "\(quoted(name)) is no name of SRV records; expected _service._protocol.domain")
        }
        return name
    }

    /// The value as a list of DNS servers.
    func nameservers() throws(ValueError) -> [NameserverAddress] {
        var servers: [NameserverAddress] = []
        for entry in try text().split(separator: ",", omittingEmptySubsequences: false) {
            let host = try StorageHost(entry)
            guard case .address(let address) = host.location else {
                throw ValueError(
                    "a name server is given by its address, not as \(quoted(HostPort.trimmed(entry)))")
            }
            servers.append(NameserverAddress(address: address, port: host.port ?? 53))
        }
        return servers
    }
}

extension [NameserverAddress] {
    /// As a directive says them; `nil` for none.
    var list: String? {
        guard !isEmpty else { return nil }
        return quoted(
            map { StorageHost(.address($0.address), port: $0.port).description }.joined(separator: ","))
    }
}

extension ResolverHost: CustomStringConvertible {
    /// Reads `[name] host [key=value …]`: a line of a file of servers, with names and directories of Unix sockets besides.
    init(_ entry: Substring) throws(ValueError) {
        var words = entry.split(whereSeparator: \.isWhitespace)[...]
        guard let first = words.popFirst() else { throw ValueError("the list has an empty entry") }
        if let second = words.first, !second.contains("=") {
            words.removeFirst()
            self.init(try StorageHost(second), name: String(first))
        } else {
            self.init(try StorageHost(first))
        }
        for word in words { try set(word) }
    }

    private mutating func set(_ word: Substring) throws(ValueError) {
        guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
            throw ValueError("\(quoted(String(word))) is not key=value")
        }
        let key = String(word[..<equals])
        let value = String(word[word.index(after: equals)...])
        guard !isGiven(key) else { throw ValueError("\(key) is given twice for \(quoted(host.description))") }
        switch key {
        case "weight": weight = try Self.rank(value, key)
        case "priority": priority = try Self.rank(value, key)
        default: attributes[key] = value
        }
    }

    private func isGiven(_ key: String) -> Bool {
        switch key {
        case "weight": weight != nil
        case "priority": priority != nil
        default: attributes[key] != nil
        }
    }

    private static func rank(_ text: String, _ key: String) throws(ValueError) -> Int {
        guard let number = Int(text), (0...65535).contains(number) else {
            throw ValueError("\(key) is \(quoted(text)); expected a whole number from 0 to 65535")
        }
        return number
    }

    /// The entry as a `host` list writes it.
    package var description: String {
        var words = [host.description]
        if let name { words.insert(name, at: 0) }
        if let weight { words.append("weight=\(weight)") }
        if let priority { words.append("priority=\(priority)") }
        words += attributes.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        return words.joined(separator: " ")
    }
}
