// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The rules of an `hba_file`, in PostgreSQL's format: the first line that is about a client says what becomes of it.
///
/// Only servers know roles (`+role`, `samerole`), and only name services the names of hosts: a line that is about a client if something is so
/// that nobody has asked yet says what is to be asked. PostgreSQL's methods that are none of the pooler's are errors, and so are roles where
/// there is nobody to ask, since to skip such a line would be to let in, or keep out, others than meant.
package struct HostAccessRules: Equatable, Sendable {
    package let rules: [HostAccessRule]
    /// Of the file and those that it includes.
    package let paths: [String]

    /// Reads a file.
    ///
    /// - Parameter asksRoles: there is a server to ask for the roles of users.
    /// - Throws: all lines with something wrong in them.
    package init(ofFileAt path: String, asksRoles: Bool) throws(AccessFileFindings) {
        try self.init(ofFileAt: path, asksRoles: asksRoles, .files)
    }

    init(
        ofFileAt path: String, asksRoles: Bool = true,
        traits: Set<PackageTrait> = PackageTrait.built, _ source: ConfigurationSource
    )
        throws(AccessFileFindings)
    {
        let content = try AccessFileLines(ofFileAt: path, source)
        var rules: [HostAccessRule] = []
        var found: [AccessFileFindings.Finding] = []
        for line in content.lines {
            var parser = HostAccessLine(line, asksRoles: asksRoles, traits: traits)
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

    /// What the lines say about a client.
    package enum Ruling: Equatable, Sendable {
        /// The first that is about it.
        case rule(HostAccessRule)
        /// None is about it, so it may not come.
        case nothing
        /// That depends on something that is to be found out first.
        case unknown(HostAccessFact)
    }

    /// What the lines say about a client of whom this is known.
    package func ruling(for request: HostAccessRequest, knowing facts: HostAccessFacts) -> Ruling {
        for rule in rules {
            switch rule.matches(request, facts) {
            case .no: continue
            case .yes: return .rule(rule)
            case .depends(let fact): return .unknown(fact)
            }
        }
        return .nothing
    }
}

/// Reads one line.
struct HostAccessLine {
    struct Trouble: Error {
        let message: String
    }

    private let number: Int
    private let asksRoles: Bool
    private let traits: Set<PackageTrait>
    private var fields: ArraySlice<[AccessFileLines.Token]>

    init(_ line: AccessFileLines.Line, asksRoles: Bool, traits: Set<PackageTrait>) {
        self.traits = traits
        self.asksRoles = asksRoles
        number = line.number
        fields = line.fields[...]
    }

    mutating func rule() throws(Trouble) -> HostAccessRule {
        let connection = try connection()
        let databases = try names("database") { $0.isKeyword("samerole") || $0.isKeyword("samegroup") }
        let users = try names("user") { $0.role != nil }
        let addresses = connection == .local ? HostAccessRule.Addresses.all : try addresses()
        let method = try method(for: connection)
        var rule = HostAccessRule(
            line: number, connection: connection, databases: databases, users: users, addresses: addresses,
            method: method)
        // It proves nothing without the name in it.
        if method == .certificate { rule.clientCertificate = .verifyFull }
        if method == .ldap { rule.ldap = LDAPService() }
        var followsSecret = false
        for option in fields.joined() {
            do throws(Trouble) { try apply(option.text, to: &rule) } catch {
                throw followsSecret ? Trouble(message: LDAPOptions.behindSecret) : error
            }
            followsSecret = followsSecret || option.text.hasPrefix(LDAPOptions.secret + "=")
        }
        if let contradiction = rule.ldap?.contradiction { throw Trouble(message: contradiction) }
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

    /// - Parameter meansRole: whether a name stands for the members of a role.
    private mutating func names(_ what: String, meansRole: (HostAccessRule.Name) -> Bool) throws(Trouble)
        -> [HostAccessRule.Name]
    {
        guard let tokens = fields.popFirst() else {
            throw Trouble(message: "the line ends before the \(what)")
        }
        var names: [HostAccessRule.Name] = []
        for token in tokens {
            let name: HostAccessRule.Name
            do throws(NamePattern.Trouble) {
                name = HostAccessRule.Name(token: token, pattern: try NamePattern(ofName: token.text))
            } catch {
                throw Trouble(message: "\(what) \(error)")
            }
            guard asksRoles || !meansRole(name) else {
                throw Trouble(
                    message:
                        "\(what) \(quoted(token.text)): only servers know who is a member of which role; hba_role_query_db and hba_role_query_user say whom to ask"
                )
            }
            names.append(name)
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
            guard parts.count == 1, !token.text.isEmpty else {
                throw Trouble(
                    message:
                        "\(quoted(token.text)) is no IP address with a mask; allowed: address/bits, an address and a mask, a host name, \".domain\", \"all\", \"samehost\", \"samenet\""
                )
            }
            return .host(token.text)
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
        let trait: PackageTrait? = method == .pam ? .pam : method == .ldap ? .ldap : nil
        if let trait, !traits.contains(trait) {
            throw Trouble(message: "method \(quoted(method.rawValue)) \(trait.need)")
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
        rule.ldap?.scope = .sub
        switch option[..<sign] {
        case "map":
            guard rule.method == .certificate || rule.method == .peer else {
                throw Trouble(message: "'map' is for the methods \"cert\" and \"peer\"")
            }
            rule.map = value
        case "pamservice":
            guard rule.method == .pam else {
                throw Trouble(message: "'pamservice' is for the method \"pam\"")
            }
            guard !value.isEmpty else { throw Trouble(message: "'pamservice' is empty") }
            rule.pamService = value
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
        case let name where LDAPOptions.names.contains(String(name)):
            guard var service = rule.ldap else {
                throw Trouble(message: "'\(name)' is for the method \"ldap\"")
            }
            do throws(ValueError) { try LDAPOptions.set(String(name), to: value, in: &service) } catch {
                throw Trouble(message: error.message)
            }
            rule.ldap = service
        default:
            let own = ["map", "clientcert", "pamservice"] + (rule.ldap == nil ? [] : LDAPOptions.names)
            let allowed = own.map { "'\($0)'" }.joined(separator: ", ")
            throw Trouble(message: "option \(quoted(String(option[..<sign]))); allowed: \(allowed)")
        }
    }
}
