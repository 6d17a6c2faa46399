// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import Glibc
import Synchronization

/// The lines of the `hba_file` and the maps of the `ident_file`. Both are read again when they change; what cannot be read leaves
/// everything as it was.
final class HostAccess: Sendable {
    /// What the client's line says.
    struct Decision: Equatable, Sendable {
        /// What the client has to go through; nil where its route says that.
        let method: AuthenticationMethod?
        /// The client has proved who it is already, by its certificate or its Unix user.
        let isProven: Bool
        /// Who checks the password, where the line says that.
        var service: PasswordService?
    }

    /// What becomes of a client.
    enum Judgement: Equatable, Sendable {
        case decided(Decision)
        /// Something is to be found out first.
        case unknown(HostAccessFact)
    }

    private struct State {
        let rules: HostAccessRules
        let map: IdentityMap
        /// Of all files, those included that the two name.
        var stamps: [FileStamp?]

        init(_ rules: HostAccessRules, _ map: IdentityMap) {
            self.rules = rules
            self.map = map
            stamps = Self.stamps(rules, map)
        }

        static func stamps(_ rules: HostAccessRules, _ map: IdentityMap) -> [FileStamp?] {
            (rules.paths + map.paths).map { FileStamp(ofFileAt: $0) }
        }
    }

    /// What a route with `authentication "hba"` may be asked for.
    static let methods: [AuthenticationMethod] = [.none, .clearText, .md5, .scramSHA256]

    let path: String
    let identPath: String?
    /// There is a server to ask for the roles of users.
    let asksRoles: Bool
    private let state: Mutex<State>

    /// - Throws: ``AccessFileError``.
    init(path: String, identPath: String?, asksRoles: Bool = false) throws(AccessFileError) {
        self.path = path
        self.identPath = identPath
        self.asksRoles = asksRoles
        state = Mutex(try Self.read(path, identPath, asksRoles))
    }

    /// Reads the files if one of them is another one than before. May take a while.
    ///
    /// - Returns: whether they were read.
    /// - Throws: ``AccessFileError``, once for each broken state of the files.
    func refresh() throws(AccessFileError) -> Bool {
        let known = state.withLock { $0 }
        let stamps = State.stamps(known.rules, known.map)
        if stamps == known.stamps { return false }
        state.withLock { $0.stamps = stamps }
        let next = try Self.read(path, identPath, asksRoles)
        state.withLock { $0 = next }
        return true
    }

    private static func read(_ path: String, _ identPath: String?, _ asksRoles: Bool)
        throws(AccessFileError) -> State
    {
        do throws(AccessFileFindings) {
            let rules = try HostAccessRules(ofFileAt: path, asksRoles: asksRoles)
            return State(
                rules,
                try identPath.map { path throws(AccessFileFindings) in
                    try IdentityMap(ofFileAt: path)
                } ?? IdentityMap())
        } catch {
            throw AccessFileError(description: "\(error)")
        }
    }

    // MARK: Clients

    /// What is decided about a client by the first line that is about it.
    ///
    /// - Parameters:
    ///   - transport: its connection, whose handshake is done.
    ///   - facts: what was found out about it so far.
    /// - Throws: the refusal (28000), where the line says so, there is none, or the client is not who it says.
    func judge(_ startup: StartupMessage, over transport: Transport, knowing facts: HostAccessFacts)
        throws(SessionEnd) -> Judgement
    {
        let (rules, map) = state.withLock { ($0.rules, $0.map) }
        let isLocal = transport.peer.isUnix
        let request = HostAccessRequest(
            channel: isLocal ? .local : transport.session == nil ? .plain : .tls,
            address: isLocal ? nil : IPNetwork.Address(transport.peer.host), database: startup.database,
            user: startup.user, isPhysicalReplication: startup.replication == .physical)
        switch rules.ruling(for: request, knowing: facts) {
        case .rule(let rule): return .decided(try obey(rule, map, startup, over: transport))
        case .unknown(let fact): return .unknown(fact)
        case .nothing:
            let client = Self.words(for: startup, transport)
            throw .fatal(.invalidAuthorization, "no hba_file entry for \(client)")
        }
    }

    private func obey(
        _ rule: HostAccessRule, _ map: IdentityMap, _ startup: StartupMessage, over transport: Transport
    ) throws(SessionEnd) -> Decision {
        if let wanted = rule.clientCertificate {
            let name = transport.session.flatMap { SecureChannel($0).commonName }
            try check(name, wanted, rule, map, startup.user)
        }
        switch rule.method {
        case .allow: return Decision(method: nil, isProven: false)
        case .trust: return Decision(method: AuthenticationMethod.none, isProven: false)
        case .password: return Decision(method: .clearText, isProven: false)
        case .pam:
            let service = rule.pamService ?? HostAccessRule.defaultPAMService
            return Decision(method: .clearText, isProven: false, service: .pam(service))
        case .ldap:
            return Decision(method: .clearText, isProven: false, service: rule.ldap.map { .ldap($0) })
        case .md5: return Decision(method: .md5, isProven: false)
        case .scramSHA256: return Decision(method: .scramSHA256, isProven: false)
        case .certificate: return Decision(method: AuthenticationMethod.none, isProven: true)
        case .reject:
            let client = Self.words(for: startup, transport)
            throw .fatal(.invalidAuthorization, "hba_file rejects connection for \(client)")
        case .peer:
            let caller = TransportFacts(of: transport)?.peerProcess.flatMap { Self.name(ofUser: $0.user) }
            guard let caller, map.allows(caller, toBe: startup.user, by: rule.map) else {
                throw .fatal(
                    .invalidAuthorization, "Peer authentication failed for user \"\(startup.user)\"")
            }
            return Decision(method: AuthenticationMethod.none, isProven: true)
        }
    }

    /// As PostgreSQL tells whom it refuses.
    private static func words(for startup: StartupMessage, _ transport: Transport) -> String {
        let host = transport.peer.isUnix ? "[local]" : transport.peer.host
        let encryption = transport.session == nil ? "no encryption" : "SSL encryption"
        if startup.replication == .physical {
            return "replication connection from host \"\(host)\", user \"\(startup.user)\", \(encryption)"
        }
        return "host \"\(host)\", user \"\(startup.user)\", database \"\(startup.database)\", \(encryption)"
    }

    /// The handshake has proved that the client has the key of a good certificate; here it must be the right one's.
    private func check(
        _ name: String?, _ wanted: HostAccessRule.ClientCertificate, _ rule: HostAccessRule,
        _ map: IdentityMap, _ user: String
    ) throws(SessionEnd) {
        guard let name else {
            throw .fatal(.invalidAuthorization, "connection requires a valid client certificate")
        }
        guard wanted == .verifyCA || map.allows(name, toBe: user, by: rule.map) else {
            throw .fatal(
                .invalidAuthorization, "certificate authentication failed for user \"\(user)\"")
        }
    }

    /// Of a user of this machine.
    private static func name(ofUser number: UInt32) -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16_384) { buffer in
            guard let base = buffer.baseAddress,
                getpwuid_r(number, &entry, base, buffer.count, &found) == 0, found != nil
            else { return nil }
            return String(cString: entry.pw_name)
        }
    }
}
