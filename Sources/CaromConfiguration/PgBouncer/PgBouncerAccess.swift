// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Who may come by an ini file of PgBouncer's, and how they prove who they are.
///
/// PgBouncer looks for a user in the `auth_file`, and asks a server for one that is not in it. A route here does one of both, so that
/// users of the file get routes of their own where a server is asked for the others; and also where only the names of the file may come.
struct PgBouncerAccess {
    /// PgBouncer's name among the services of PAM, and here of what it says of servers of LDAP.
    private static let service = "pgbouncer"

    private let main: IniValues
    private let method: String
    private let path: String?
    /// Of the `auth_file`; nil if there is none, or none that can be read.
    private let list: UserList?
    /// What is wrong with the file has been said.
    private let isBroken: Bool
    /// The servers of LDAP that are asked; nil if none are.
    let ldapEndpoint: ConfigurationBlock<LDAPEndpointSettings>?

    /// - Parameter source: where the `auth_file` is read.
    init(_ main: IniValues, source: ConfigurationSource, _ findings: inout ConfigurationFindings) {
        self.main = main
        let type = main.word("auth_type")
        path = main.text("auth_file")
        var list: UserList?
        var isBroken = false
        if let path {
            switch UserList.read(path, from: source) {
            case .success(let users): list = users
            case .failure(let failure):
                isBroken = true
                findings.report(main.place(of: "auth_file"), "auth_file: \(failure.description)")
            }
        }
        self.list = list
        let secrets = list.map { Array($0.secrets.values) } ?? []
        // With md5 whoever has a verifier goes by that. If all have, there is no more to it.
        method =
            type == "md5" && !secrets.isEmpty && secrets.allSatisfy(\.isVerifier) ? "scram-sha-256" : type
        if let trait = Self.services[type], !PackageTrait.built.contains(trait) {
            isBroken = true
            findings.report(main.place(of: "auth_type"), "auth_type \(type) \(trait.need)")
        }
        ldapEndpoint = type == "ldap" && !isBroken ? Self.endpoint(main, &findings) : nil
        if type == "ldap", ldapEndpoint == nil { isBroken = true }
        if list == nil, !isBroken, type != "any", Self.services[type] == nil,
            !(Self.checksSecrets(type) && main.text("auth_user") != nil)
        {
            isBroken = true
            findings.report(
                main.place(of: "auth_type"),
                "auth_type \(type) needs auth_file, which has the users that may come"
            )
        }
        self.isBroken = isBroken
        if type == "hba", main.text("auth_hba_file") == nil {
            findings.report(main.place(of: "auth_type"), "auth_type hba needs auth_hba_file")
        }
        if !Self.checksSecrets(type), let position = main.position(of: "auth_user") {
            findings.warn(position, "'auth_user' has no effect with auth_type \(type)")
        }
        if type != "ldap", let position = main.position(of: "auth_ldap_options") {
            findings.warn(position, "'auth_ldap_options' has no effect with auth_type \(type)")
        }
    }

    /// Types by which a service knows passwords, and what a build needs for it.
    private static let services: [String: PackageTrait] = ["pam": .pam, "ldap": .ldap]

    /// Nil if nobody could be asked, which has been said.
    private static func endpoint(_ main: IniValues, _ findings: inout ConfigurationFindings)
        -> ConfigurationBlock<LDAPEndpointSettings>?
    {
        guard let text = main.text("auth_ldap_options") else {
            findings.report(
                main.place(of: "auth_type"), "auth_type ldap needs auth_ldap_options, which say whom to ask")
            return nil
        }
        let position = main.place(of: "auth_ldap_options")
        var block = ConfigurationBlock(LDAPEndpointSettings(name: service), at: position)
        do throws(ValueError) {
            let service = try LDAPOptions.service(of: text)
            if let futility = service.futility { throw ValueError(futility) }
            block.value.service = service
            return block
        } catch {
            findings.report(position, "auth_ldap_options: \(error.message)")
            return nil
        }
    }

    /// Whether a secret is asked for, of those whose line of the HBA file says so at least.
    private static func checksSecrets(_ type: String) -> Bool {
        ["plain", "md5", "scram-sha-256", "hba"].contains(type)
    }

    /// The users of a database for whom there is a route of their own; nil among them is all others.
    ///
    /// - Parameter configured: those of `[users]`.
    func users(of database: IniValues?, configured: [String]) -> [String?] {
        let listed = list?.users ?? []
        switch method {
        case "any": return configured + [nil]
        case "trust", "cert": return listed
        default:
            let own =
                query(of: database) != nil
                ? listed : method == "md5" ? listed.filter { list?.secrets[$0]?.isVerifier == true } : []
            return own + configured.filter { !own.contains($0) } + [nil]
        }
    }

    /// Who is asked for secrets, and where that was said.
    private func query(of database: IniValues?) -> (user: String, position: ConfigurationPosition)? {
        guard let database, Self.checksSecrets(method) else { return nil }
        for values in [database, main] {
            if let user = values.text("auth_user") { return (user, values.place(of: "auth_user")) }
        }
        return nil
    }

    /// Says in a route who may come.
    ///
    /// - Parameters:
    ///   - user: nil for all without a route of their own.
    ///   - database: nil for the console.
    ///   - name: the database's; nil if it may be any.
    func set(
        _ block: inout ConfigurationBlock<RouteSettings>, for user: String?, of database: IniValues?,
        name: String?, _ findings: inout ConfigurationFindings
    ) {
        _ = block.note("authentication", at: main.place(of: "auth_type"))
        let secret = user.flatMap { list?.secrets[$0] }
        block.value.authentication = authentication(with: secret)
        if isBroken { block.isDamaged = true }
        guard method != "any" else { return }
        if method == "pam" {
            _ = block.note("auth_pam_service", at: main.place(of: "auth_type"))
            block.value.pamService = Self.service
            return
        }
        if method == "ldap" {
            _ = block.note("ldap_endpoint_name", at: main.place(of: "auth_type"))
            block.value.ldapEndpoint = Self.service
            return
        }
        if let query = query(of: database) {
            if let secret {
                setPassword(&block, secret)
            } else {
                setQuery(&block, query, database, name, &findings)
            }
        } else if let path {
            _ = block.note("auth_file", at: main.place(of: "auth_file"))
            block.value.authFile = path
        } else {
            block.value.authentication = .block
        }
    }

    private func authentication(with secret: StoredSecret?) -> AuthenticationMethod {
        switch method {
        case "any", "trust": .none
        case "plain", "pam", "ldap": .clearText
        case "cert": .certificate
        case "hba": .hba
        case "scram-sha-256": .scramSHA256
        default: secret?.isVerifier == true ? .scramSHA256 : .md5
        }
    }

    private func setPassword(_ block: inout ConfigurationBlock<RouteSettings>, _ secret: StoredSecret) {
        let place = main.place(of: "auth_file")
        guard let password = secret.configured else {
            block.value.authentication = .block
            return
        }
        if block.value.authentication == .scramSHA256, case .md5 = secret {
            // Nobody can log in with it, but servers can be logged in to.
            block.value.authentication = .block
            block.value.storagePassword = password
            return
        }
        _ = block.note("password", at: place)
        block.value.password = password
    }

    private func setQuery(
        _ block: inout ConfigurationBlock<RouteSettings>,
        _ query: (user: String, position: ConfigurationPosition), _ database: IniValues?, _ name: String?,
        _ findings: inout ConfigurationFindings
    ) {
        guard let asked = database?.text("auth_dbname") ?? main.text("auth_dbname") ?? name else {
            block.isDamaged = true
            return findings.report(
                query.position, "auth_user for the database * needs auth_dbname, where the query is asked")
        }
        _ = block.note("auth_query_user", at: query.position)
        block.value.authQueryUser = query.user
        block.value.authQueryDatabase = asked
        let text = database?.text("auth_query") ?? main.text("auth_query")
        block.value.authQuery = text == UserQuerySettings.secretText ? nil : text
        if let text, !text.contains("$1") {
            let place = database?.position(of: "auth_query") ?? main.place(of: "auth_query")
            findings.report(place, "auth_query: the query has no $1 for the user's name")
        }
    }

    /// What servers are logged in to with as a user that the file has; nil if it does not say.
    func password(of user: String) -> Secret? { list?.secrets[user]?.configured }
}

extension StoredSecret {
    fileprivate var isVerifier: Bool { if case .scram = self { true } else { false } }

    /// As a configuration has it; nil for an empty one, and for one that is no text.
    fileprivate var configured: Secret? {
        let text: [UInt8] =
            switch self {
            case .plain(let text), .md5(let text): text
            case .scram(let verifier): verifier.encoded
            }
        return text.isEmpty ? nil : String(validating: text, as: UTF8.self).map { Secret($0) }
    }
}
