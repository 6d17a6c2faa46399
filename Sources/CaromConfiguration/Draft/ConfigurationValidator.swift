// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS

/// Checks what no single directive can tell: what is missing, what contradicts, what names something that is not there.
struct ConfigurationValidator {
    private let top: ConfigurationBlock<Settings>
    private let listeners: [ConfigurationBlock<ListenSettings>]
    private let resolvers: [ConfigurationBlock<ResolverSettings>]
    private let storages: [ConfigurationBlock<StorageSettings>]
    private let sharedPools: [ConfigurationBlock<SharedPoolSettings>]
    private let peers: [ConfigurationBlock<PeerSettings>]
    private let ldapEndpoints: [ConfigurationBlock<LDAPEndpointSettings>]
    private let routes: [ConfigurationBlock<RouteSettings>]
    private(set) var findings: ConfigurationFindings
    /// Files that are named are opened.
    private let loadsFiles: Bool
    private(set) var settings: Settings
    /// What is wrong with each `auth_file` that was looked at; nil for nothing.
    private var userLists: [String: String?] = [:]

    init(_ draft: ConfigurationDraft, loadsFiles: Bool) {
        self.loadsFiles = loadsFiles
        top = draft.top
        listeners = draft.listeners
        resolvers = draft.resolvers
        storages = draft.storages
        sharedPools = draft.sharedPools
        peers = draft.peers
        ldapEndpoints = draft.ldapEndpoints
        routes = draft.routes
        findings = draft.findings
        settings = draft.top.value
    }

    mutating func run() {
        // A file whose blocks could not be read has them all the same.
        let wasReadable = findings.hasNoError
        checkTop(wasReadable: wasReadable)
        for block in listeners { check(block) }
        checkListenersDiffer()
        checkResolvers()
        var defined: [String: ConfigurationPosition] = [:]
        for block in storages { check(block, defined: &defined) }
        checkSharedPools()
        checkPeers()
        checkServices { $0.run() }
        var known: [RoutePattern: ConfigurationPosition] = [:]
        for block in routes { check(block, known: &known) }
        var unified: [StorageSettings] = []
        for block in storages { unified.append(unify(block)) }
        settings.listeners = listeners.map(\.value)
        settings.storages = unified
        settings.sharedPools = sharedPools.map(\.value)
        settings.peers = peers.map(\.value)
        settings.ldapEndpoints = ldapEndpoints.map(\.value)
        settings.routes = routes.map { ServiceChecks.resolved($0.value, among: settings.ldapEndpoints) }
    }

    private mutating func report(_ position: ConfigurationPosition, _ message: String, hint: String? = nil) {
        findings.report(position, message, hint: hint)
    }

    private mutating func warn(_ position: ConfigurationPosition, _ message: String) {
        findings.warn(position, message)
    }

    private mutating func checkAccess(_ body: (inout AccessChecks) -> Void) {
        var checks = AccessChecks(
            top, routes.map(\.value), storages.map(\.value), loadsFiles: loadsFiles, findings)
        body(&checks)
        findings = checks.findings
    }

    private mutating func checkTop(wasReadable: Bool) {
        if settings.unixSocketDirectory != nil, settings.unixSocketMode == nil,
            let position = top.given["unix_socket_dir"], top.given["unix_socket_mode"] == nil
        {
            report(
                position, "unix_socket_dir needs unix_socket_mode", hint: "such as unix_socket_mode \"0770\"")
        }
        checkAccess { $0.run() }
        guard wasReadable else { return }
        if listeners.isEmpty {
            report(top.position, "there is no 'listen' block, so no client could connect")
        }
        if routes.isEmpty {
            report(top.position, "there is no route: no 'user' block in any 'database' block")
        }
    }

    private mutating func check(_ block: ConfigurationBlock<ListenSettings>) {
        let listen = block.value
        if listen.host == nil, !block.isDamaged, settings.unixSocketDirectory == nil, !top.isDamaged {
            report(block.position, "'listen' needs a host, or unix_socket_dir must be set for a Unix socket")
        }
        if listen.host == nil, let position = block.given["proxy_protocol"] {
            report(position, "'proxy_protocol' has no meaning on a Unix socket, which has no addresses")
        }
        guard listen.tls.mode != .disable, let position = block.given["tls"], !block.isDamaged else { return }
        if listen.host == nil { warn(position, "'tls' has no effect on a Unix socket") }
        let mode = quoted(listen.tls.mode.rawValue)
        if listen.tls.certificateFile == nil || listen.tls.keyFile == nil {
            return report(position, "tls \(mode) needs tls_cert_file and tls_key_file")
        }
        if listen.tls.mode.verifiesPeer, listen.tls.caFile == nil {
            return report(position, "tls \(mode) needs tls_ca_file to check clients by")
        }
        if loadsFiles { TLSLoading(as: .server).check(block, &findings) }
    }

    private mutating func checkListenersDiffer() {
        var seen: [String: ConfigurationPosition] = [:]
        for block in listeners where !block.isDamaged {
            let place = "\(block.value.host ?? "a Unix socket") with port \(block.value.port)"
            if let first = seen.updateValue(block.position, forKey: place) {
                report(block.position, "two listeners on \(place); the other one is at \(first)")
            }
        }
    }

    private mutating func checkResolvers() {
        var checks = ResolverChecks(resolvers, findings)
        checks.run()
        for block in storages where block.value.type == .remote {
            guard case .resolver(let name) = block.value.backends, let position = block.given["resolver"],
                !checks.names.contains(name)
            else { continue }
            checks.reportUndefined(name, at: position)
        }
        findings = checks.findings
        settings.resolvers = checks.resolvers
    }

    private mutating func check(
        _ block: ConfigurationBlock<StorageSettings>, defined: inout [String: ConfigurationPosition]
    ) {
        let name = block.value.name
        if !name.isEmpty, let first = defined.updateValue(block.position, forKey: name) {
            report(block.position, "storage \(quoted(name)) is already defined at \(first)")
        }
        guard !block.isDamaged else { return }
        if block.given["type"] == nil {
            report(block.position, "storage \(quoted(name)) needs a type; allowed: \"remote\", \"local\"")
        }
        if block.value.type == .local { return checkConsole(block) }
        checkSources(block)
        if (block.value.tls.certificateFile == nil) != (block.value.tls.keyFile == nil) {
            let position = block.given["tls_cert_file"] ?? block.given["tls_key_file"] ?? block.position
            return report(position, "tls_cert_file and tls_key_file need each other")
        }
        if block.value.tlsNegotiation == .direct, !block.value.tls.mode.needsTLS,
            let position = block.given["tls_negotiation"]
        {
            return report(
                position, "tls_negotiation \"direct\" needs tls \"require\", \"verify_ca\" or \"verify_full\""
            )
        }
        if block.value.tls.crlFile != nil, block.value.tls.caFile == nil,
            let position = block.given["tls_crl_file"]
        {
            return report(position, "tls_crl_file needs tls_ca_file")
        }
        if loadsFiles { TLSLoading(as: .client).check(block, &findings) }
    }

    /// Exactly one directive says where the servers are.
    private mutating func checkSources(_ block: ConfigurationBlock<StorageSettings>) {
        let name = quoted(block.value.name)
        let names = ["host", "srv", "hosts_file", "resolver"]
        let sources = names.filter { block.given[$0] != nil }
        let list = names.joined(separator: ", ")
        if sources.isEmpty {
            report(block.position, "storage \(name) needs one of \(list)")
        } else if sources.count > 1, let position = sources.compactMap({ block.given[$0] }).last {
            report(position, "storage \(name) can have only one of \(list)")
        }
        if case .resolver = block.value.backends {
            for directive in ["nameserver", "port"] {
                guard let position = block.given[directive] else { continue }
                warn(position, "'\(directive)' has no effect beside 'resolver', which has its own")
            }
            return
        }
        if let position = block.given["nameserver"], !block.value.backends.asksDNS {
            warn(position, "'nameserver' has no effect: none of the hosts is a name")
        }
        if let position = block.given["port"], case .service = block.value.backends {
            warn(position, "'port' has no effect: SRV records carry the ports")
        }
    }

    /// The console is in the process itself: there is no server to reach.
    private mutating func checkConsole(_ block: ConfigurationBlock<StorageSettings>) {
        for (name, position) in block.given.sorted(by: { $0.key < $1.key }) where name != "type" {
            report(position, "'\(name)' has no meaning for a storage of type \"local\"")
        }
    }

    /// A server that is listed twice is one backend: it gets no second share of the connections.
    private mutating func unify(_ block: ConfigurationBlock<StorageSettings>) -> StorageSettings {
        var storage = block.value
        guard case .hosts(let hosts) = storage.backends, let position = block.given["host"] else {
            return storage
        }
        var distinct = DistinctHosts()
        storage.backends = .hosts(
            hosts.filter { host in
                let full = distinct.add(host, port: storage.port(of: host))
                if let full { warn(position, DistinctHosts.warning(full)) }
                return full == nil
            })
        return storage
    }

    private mutating func check(
        _ block: ConfigurationBlock<RouteSettings>, known: inout [RoutePattern: ConfigurationPosition]
    ) {
        let route = block.value
        if let first = known.updateValue(block.position, forKey: route.pattern) {
            report(block.position, "route \(route.pattern) is already defined at \(first)")
        }
        if let position = block.given["storage"], !route.storage.isEmpty,
            !storages.contains(where: { $0.value.name == route.storage })
        {
            let near = nearest(to: route.storage, among: storages.map(\.value.name))
            report(
                position, "storage \(quoted(route.storage)) is not defined",
                hint: near.map { "did you mean \(quoted($0))?" })
        }
        guard !block.isDamaged else { return }
        let required = [
            ("authentication", AuthenticationMethod.allCases.map(\.rawValue)),
            ("pool", PoolingMode.allCases.map(\.rawValue)),
            ("storage", storages.map(\.value.name).filter { !$0.isEmpty }),
        ]
        let isConsole = storages.contains { $0.value.name == route.storage && $0.value.type == .local }
        for (name, allowed) in required where !(isConsole && name == "pool") && block.given[name] == nil {
            let list = allowed.isEmpty ? "" : "; allowed: \(allowed.map(quoted).joined(separator: ", "))"
            report(block.position, "route \(route.pattern) needs \(name)\(list)")
        }
        if let size = route.poolSize, route.minPoolSize > size, let position = block.given["min_pool_size"] {
            report(position, "min_pool_size \(route.minPoolSize) is above pool_size \(size)")
        }
        StandbyChecks(storages.first { $0.value.name == route.storage }).check(block, &findings)
        if isConsole { checkConsole(block) }
        checkPassword(block)
        checkCertificate(block)
    }

    private mutating func checkSharedPools() {
        var checks = SharedPoolChecks(sharedPools, findings)
        checks.run()
        for block in routes where !block.isDamaged { checks.check(block) }
        findings = checks.findings
    }

    private mutating func checkPeers() {
        var checks = PeerChecks(peers, findings)
        checks.run(own: settings.peerID)
        findings = checks.findings
    }

    private mutating func checkServices<Result>(_ body: (inout ServiceChecks) -> Result) -> Result {
        var checks = ServiceChecks(ldapEndpoints, findings)
        defer { findings = checks.findings }
        return body(&checks)
    }

    /// Whoever may act on the pooler must have proved who they are.
    private mutating func checkConsole(_ block: ConfigurationBlock<RouteSettings>) {
        if settings.adminUsers.isEmpty, settings.statsUsers.isEmpty {
            warn(block.position, "nobody may use the console: there are neither admin_users nor stats_users")
        } else if block.value.authentication == .none, let position = block.given["authentication"] {
            warn(
                position,
                "authentication \"none\" at the console: anybody may look as one of its users, and act over a Unix socket as the user that runs the pooler"
            )
        }
    }

    /// MD5 cannot be checked against a SCRAM verifier, nor SCRAM against an MD5 hash; clear text works with both.
    private mutating func checkPassword(_ block: ConfigurationBlock<RouteSettings>) {
        let route = block.value
        if route.storagePassword?.form == .scramVerifier, let position = block.given["storage_password"] {
            report(
                position,
                "storage_password: a SCRAM verifier proves nothing to a server; it needs the password")
        }
        let method = quoted(route.authentication.rawValue)
        if checkServices({ $0.check(block) }) || checkQuery(block) { return }
        if let path = route.authFile, let position = block.given["auth_file"] {
            if route.password != nil {
                return report(position, "a route has either 'auth_file' or 'password'")
            }
            if let trouble = trouble(ofUsersIn: path) { report(position, "auth_file: \(trouble)") }
            return
        }
        guard let password = route.password, let position = block.given["password"] else {
            if route.authentication.needsPassword, let position = block.given["authentication"] {
                report(position, "authentication \(method) needs a password, an auth_file or an auth_query")
            }
            return
        }
        switch (route.authentication, password.form) {
        case (.scramSHA256, .md5):
            report(
                position,
                "authentication \(method) needs a plain password or a SCRAM verifier, not an MD5 hash")
        case (.md5, .scramVerifier):
            report(
                position,
                "authentication \(method) needs a plain password or an MD5 hash, not a SCRAM verifier")
        case (.none, _), (.block, _), (.certificate, _), (.hba, _), (.clearText, _), (.md5, .plain),
            (.md5, .md5), (.scramSHA256, .plain), (.scramSHA256, .scramVerifier):
            break
        }
    }

    /// Why an `auth_file` cannot be used. Many routes may have the same one.
    private mutating func trouble(ofUsersIn path: String) -> String? {
        guard loadsFiles else { return nil }
        if let known = userLists[path] { return known }
        let trouble = UserList.trouble(ofFileAt: path)
        userLists[path] = trouble
        return trouble
    }

    /// A query needs somebody to ask, and a route that says how that one is reached.
    ///
    /// - Returns: whether there is one.
    private mutating func checkQuery(_ block: ConfigurationBlock<RouteSettings>) -> Bool {
        let names = ["auth_query", "auth_query_user", "auth_query_db", "auth_dbname"]
        let given = names.compactMap { name in block.given[name].map { (name, $0) } }
        guard let (first, position) = given.first else { return false }
        if block.given["auth_query_db"] != nil, block.given["auth_dbname"] != nil {
            report(position, "'auth_query_db' and 'auth_dbname' are the same")
        } else if block.value.password != nil || block.value.authFile != nil {
            report(position, "a route has only one of 'password', 'auth_file' and 'auth_query'")
        } else if !block.value.authentication.needsPassword, block.value.authentication != .hba {
            warn(
                position,
                "'\(first)' has no effect with authentication \(quoted(block.value.authentication.rawValue))")
        } else if let query = block.value.authQuerySettings {
            checkAccess { $0.checkTarget(of: query, named: "auth_query", at: position) }
        } else {
            report(position, "auth_query needs auth_query_user and auth_query_db")
        }
        return true
    }

    /// A certificate counts only where it is asked for and checked, and the rules of a file only where there is one.
    private mutating func checkCertificate(_ block: ConfigurationBlock<RouteSettings>) {
        if block.value.authentication == .hba, settings.hbaFile == nil, !top.isDamaged,
            let position = block.given["authentication"]
        {
            report(position, "authentication \"hba\" needs 'hba_file' at the top")
        }
        guard block.value.authentication == .certificate else {
            if let position = block.given["auth_common_name"] {
                warn(position, "'auth_common_name' has no effect without authentication \"cert\"")
            }
            return
        }
        let isPossible = listeners.contains {
            $0.isDamaged || $0.value.tls.mode != .disable && $0.value.tls.caFile != nil
        }
        if !isPossible, let position = block.given["authentication"] {
            report(position, "authentication \"cert\" needs a listener with tls and tls_ca_file")
        }
    }
}
