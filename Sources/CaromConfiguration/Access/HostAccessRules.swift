// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The rules of an `hba_file`, in PostgreSQL's format: the first line that is about a client says what becomes of it.
///
/// Not known here: roles (`+role`, `samerole`), which only servers know, names of hosts, and PostgreSQL's methods that are none of the
/// pooler's. A line with one of these is an error, since to skip it would be to let in, or keep out, others than meant.
package struct HostAccessRules: Equatable, Sendable {
    package let rules: [HostAccessRule]
    /// Of the file and those that it includes.
    package let paths: [String]

    /// Reads a file.
    ///
    /// - Throws: all lines with something wrong in them.
    package init(ofFileAt path: String) throws(AccessFileFindings) {
        try self.init(ofFileAt: path, .files)
    }

    init(ofFileAt path: String, _ source: ConfigurationSource) throws(AccessFileFindings) {
        let content = try AccessFileLines(ofFileAt: path, source)
        var rules: [HostAccessRule] = []
        var found: [AccessFileFindings.Finding] = []
        for line in content.lines {
            var parser = HostAccessLine(line)
            do throws(HostAccessLine.Trouble) {
                rules.append(try parser.rule())
            } catch {
                found.append(.init(line: line.number, error.message))
            }
        }
        if rules.isEmpty, found.isEmpty {
            found.append(.init(line: nil, "has no line, so nobody could come"))
        }
        if !found.isEmpty { throw AccessFileFindings(path: path, found) }
        self.rules = rules
        paths = content.paths
    }

    /// The line for a client; nil if none is about it: then it may not come.
    package func rule(for request: HostAccessRequest) -> HostAccessRule? {
        rules.first { $0.matches(request) }
    }
}

/// Reads one line.
struct HostAccessLine {
    struct Trouble: Error {
        let message: String
    }

    private let number: Int
    private var fields: ArraySlice<[AccessFileLines.Token]>

    init(_ line: AccessFileLines.Line) {
        number = line.number
        fields = line.fields[...]
    }

    mutating func rule() throws(Trouble) -> HostAccessRule {
        let connection = try connection()
        let databases = try names("database", keywords: ["samerole", "samegroup"])
        let users = try names("user", keywords: [])
        let addresses = connection == .local ? HostAccessRule.Addresses.all : try addresses()
        let method = try method(for: connection)
        var rule = HostAccessRule(
            line: number, connection: connection, databases: databases, users: users, addresses: addresses,
            method: method)
        // It proves nothing without the name in it.
        if method == .certificate { rule.clientCertificate = .verifyFull }
        for option in fields.joined() { try apply(option.text, to: &rule) }
        return rule
    }

    private mutating func single(_ what: String) throws(Trouble) -> AccessFileLines.Token {
        guard let field = fields.popFirst() else {
            throw Trouble(message: "the line ends before the \(what)")
        }
        guard field.count == 1 else { throw Trouble(message: "several values for the \(what)") }
        return field[0]
    }

    private mutating func connection() throws(Trouble) -> HostAccessRule.Connection {
        let word = try single("connection type").text
        if let connection = HostAccessRule.Connection(rawValue: word) { return connection }
        let isKnown = word == "hostgssenc" || word == "hostnogssenc"
        throw Trouble(
            message: isKnown
                ? "there is no GSSAPI here, so \(quoted(word)) has no meaning"
                : "connection type \(quoted(word)); allowed: \"local\", \"host\", \"hostssl\", \"hostnossl\"")
    }

    private mutating func names(_ what: String, keywords: [String]) throws(Trouble)
        -> [AccessFileLines.Token]
    {
        guard let names = fields.popFirst() else {
            throw Trouble(message: "the line ends before the \(what)")
        }
        for name in names where !name.isQuoted {
            guard name.text.first != "+", !keywords.contains(name.text) else {
                throw Trouble(
                    message: "\(what) \(quoted(name.text)): only servers know who is a member of which role")
            }
        }
        return names
    }

    private mutating func addresses() throws(Trouble) -> HostAccessRule.Addresses {
        let token = try single("address")
        if token.isKeyword("all") { return .all }
        if token.isKeyword("samehost") { return .interfaces(isWhole: false) }
        if token.isKeyword("samenet") { return .interfaces(isWhole: true) }
        let parts = token.text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = IPNetwork.Address(String(parts[0])) else {
            throw Trouble(
                message:
                    "\(quoted(token.text)) is no IP address; allowed: address/bits, an address and a mask, \"all\", \"samehost\", \"samenet\" (names of hosts are not looked up)"
            )
        }
        if parts.count > 1 {
            guard let bits = Int(parts[1]), let network = IPNetwork(address, bits: bits) else {
                throw Trouble(
                    message: "\(quoted(token.text)): a mask has 0 to \(address.bytes.count * 8) bits")
            }
            return .network(network)
        }
        let mask = try single("mask")
        guard let value = IPNetwork.Address(mask.text) else {
            throw Trouble(message: "mask \(quoted(mask.text)) is no IP address")
        }
        guard let network = IPNetwork(address, mask: value) else {
            throw Trouble(message: "address and mask are of different families")
        }
        return .network(network)
    }

    private mutating func method(for connection: HostAccessRule.Connection) throws(Trouble)
        -> HostAccessRule.Method
    {
        let word = try single("method").text
        // Odyssey's word for one, and what PostgreSQL takes the other for.
        let plain = word == "deny" ? "reject" : word == "ident" && connection == .local ? "peer" : word
        guard let method = HostAccessRule.Method(rawValue: plain) else {
            let allowed = HostAccessRule.Method.allCases.map { quoted($0.rawValue) }
            throw Trouble(
                message: "method \(quoted(word)); allowed: \(allowed.joined(separator: ", ")), \"deny\"")
        }
        if method == .peer, connection != .local {
            throw Trouble(message: "method \"peer\" is for \"local\" lines only")
        }
        if method == .certificate, connection != .hostWithTLS {
            throw Trouble(message: "method \"cert\" is for \"hostssl\" lines only")
        }
        return method
    }

    private func apply(_ option: String, to rule: inout HostAccessRule) throws(Trouble) {
        guard let sign = option.firstIndex(of: "=") else {
            throw Trouble(message: "\(quoted(option)) is no option of the form name=value")
        }
        let value = String(option[option.index(after: sign)...])
        switch option[..<sign] {
        case "map":
            guard rule.method == .certificate || rule.method == .peer else {
                throw Trouble(message: "'map' is for the methods \"cert\" and \"peer\"")
            }
            rule.map = value
        case "clientcert":
            guard rule.connection == .hostWithTLS else {
                throw Trouble(message: "'clientcert' is for \"hostssl\" lines only")
            }
            guard let wanted = HostAccessRule.ClientCertificate(rawValue: value) else {
                throw Trouble(
                    message: "clientcert=\(quoted(value)); allowed: \"verify-ca\", \"verify-full\"")
            }
            guard rule.method != .certificate || wanted == .verifyFull else {
                throw Trouble(message: "with the method \"cert\" clientcert is \"verify-full\"")
            }
            rule.clientCertificate = wanted
        default:
            throw Trouble(message: "option \(quoted(String(option[..<sign]))); allowed: 'map', 'clientcert'")
        }
    }
}
