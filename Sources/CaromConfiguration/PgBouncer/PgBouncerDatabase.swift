// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// An entry of `[databases]` in the terms of the configuration: a storage, and a route for each kind of user.
struct PgBouncerDatabase {
    private let main: IniValues
    private let entry: PgBouncerFile.Named
    private let users: [PgBouncerFile.Named]

    init(_ entry: PgBouncerFile.Named, of file: PgBouncerFile) {
        self.entry = entry
        main = file.main
        users = file.users
    }

    private var values: IniValues { entry.values }
    private var isFallback: Bool { entry.name == "*" }
    private var name: RouteName { isFallback ? .anything : .exact(entry.name) }
    private var forcedUser: String? { values.text("user") }

    /// Adds its storage, and what belongs to that.
    func addStorage(to draft: inout ConfigurationDraft) {
        var block = ConfigurationBlock(StorageSettings(name: entry.name), at: values.position)
        // As PgBouncer does.
        block.value.allowsCleartextPassword = true
        _ = block.note("type", at: values.position)
        let port = values.number("port") ?? 5432
        let place = values.place(of: "host")
        let hosts = hosts(&draft.findings)
        block.isDamaged = hosts == nil
        if let resolver = resolver(hosts ?? [], port, &draft.findings) {
            var resolverBlock = ConfigurationBlock(resolver, at: place)
            for directive in ["type", "host"] { _ = resolverBlock.note(directive, at: place) }
            draft.resolvers.append(resolverBlock)
            _ = block.note("resolver", at: place)
            block.value.backends = .resolver(resolver.name)
        } else {
            _ = block.note("host", at: place)
            block.value.backends = .hosts(hosts ?? [])
            block.value.port = port
        }
        let tls = PgBouncerTLS(main, side: "server")
        block.value.tls = tls.settings
        tls.note(in: &block)
        draft.storages.append(block)
    }

    /// Nil if one of them is none.
    private func hosts(_ findings: inout ConfigurationFindings) -> [StorageHost]? {
        guard let text = values.text("host") ?? main.text("unix_socket_dir") else {
            findings.report(
                values.position, "database \(quoted(entry.name)) needs a host: there is no unix_socket_dir")
            return nil
        }
        // That there are none in the abstract namespace is said where it is asked for.
        if values.text("host") == nil, text.hasPrefix("@") { return nil }
        var hosts: [StorageHost] = []
        do throws(ValueError) {
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let host = HostPort.trimmed(part)
                // Addresses of IPv6 stand without brackets.
                hosts.append(try StorageHost(host.contains(":") ? "[\(host)]" : host[...]))
            }
            return hosts
        } catch {
            findings.report(values.place(of: "host"), "host: \(error.message)", hint: error.hint)
            return nil
        }
    }

    /// What a list of hosts cannot say: how long answers hold, and that the first host is the one to use. Nil if nothing of this is meant.
    private func resolver(_ hosts: [StorageHost], _ port: Int, _ findings: inout ConfigurationFindings)
        -> ResolverSettings?
    {
        let hasNames = hosts.contains { if case .name = $0.location { true } else { false } }
        let prefersFirst = values.word("load_balance_hosts") == "disable" && hosts.count > 1
        var resolver = ResolverSettings(name: entry.name)
        resolver.port = port
        resolver.hosts = hosts.map { ResolverHost($0) }
        if prefersFirst, !hasNames {
            for index in hosts.indices { resolver.hosts[index].priority = index }
            return resolver
        }
        if prefersFirst, let position = values.position(of: "load_balance_hosts") {
            findings.warn(
                position, "'load_balance_hosts' has no effect where a host is a name: all of them are used")
        }
        let keys = ["dns_max_ttl", "dns_nxdomain_ttl"]
        guard hasNames, keys.contains(where: { main.position(of: $0) != nil }) else { return nil }
        resolver.type = .dns
        let longest = main.time("dns_max_ttl").map(PgBouncerTop.wholeSeconds) ?? resolver.longestTTL
        resolver.longestTTL = max(longest, .seconds(1))
        resolver.shortestTTL = min(resolver.shortestTTL, resolver.longestTTL)
        let negative = main.time("dns_nxdomain_ttl").map(PgBouncerTop.wholeSeconds) ?? resolver.negativeTTL
        resolver.negativeTTL = max(negative, .seconds(1))
        return resolver
    }

    /// Adds its routes, and the pool that they share if all log in as one user.
    func addRoutes(to draft: inout ConfigurationDraft, _ access: PgBouncerAccess) {
        let shared = sharedPool(&draft)
        for user in access.users(of: values, configured: users.map(\.name)) {
            let pattern = RoutePattern(database: name, user: user.map(RouteName.exact) ?? .anything)
            let own = users.first { $0.name == user }?.values
            var block = ConfigurationBlock(RouteSettings(pattern: pattern), at: (own ?? values).position)
            _ = block.note("storage", at: values.position)
            block.value.storage = entry.name
            access.set(
                &block, for: user, of: values, name: isFallback ? nil : entry.name, &draft.findings)
            setServer(&block.value, access)
            setPool(&block, own, shared)
            setTimes(&block.value.limits, own)
            draft.routes.append(block)
        }
    }

    /// PgBouncer has one pool for all clients of a database that log in as one user.
    private func sharedPool(_ draft: inout ConfigurationDraft) -> String? {
        guard forcedUser != nil, let size = limit("pool_size") else { return nil }
        var pool = SharedPoolSettings(name: entry.name)
        pool.poolSize = size
        var block = ConfigurationBlock(pool, at: values.position)
        _ = block.note("pool_size", at: values.place(of: "pool_size"))
        draft.sharedPools.append(block)
        if let position = values.position(of: "min_pool_size") ?? main.position(of: "min_pool_size") {
            draft.findings.warn(
                position,
                "'min_pool_size' has no effect on the database \(quoted(entry.name)), whose clients share a pool"
            )
        }
        return pool.name
    }

    private func setServer(_ route: inout RouteSettings, _ access: PgBouncerAccess) {
        route.storageDatabase = values.text("dbname")
        route.storageUser = forcedUser
        route.storagePassword =
            values.text("password").map { Secret($0) } ?? forcedUser.flatMap(access.password)
            ?? route.storagePassword
        route.hooks.connectQuery = values.text("connect_query")
        for name in ["client_encoding", "datestyle", "timezone", "application_name"] {
            if let value = values.text(name) {
                route.backendStartupOptions.append(SessionParameter(name: name, value: value))
            }
        }
    }

    private func setPool(
        _ block: inout ConfigurationBlock<RouteSettings>, _ user: IniValues?, _ shared: String?
    ) {
        let mode = [user, values, main].compactMap { $0?.text("pool_mode")?.lowercased() }.first ?? ""
        block.value.pool = PoolingMode(rawValue: mode) ?? .session
        _ = block.note("pool", at: values.place(of: "pool_mode"))
        if let shared {
            block.value.sharedPool = shared
            _ = block.note("shared_pool", at: values.position)
        } else {
            block.value.poolSize = user?.number("pool_size").map { $0 == 0 ? nil : $0 } ?? limit("pool_size")
            let least = values.number("min_pool_size") ?? main.number("min_pool_size") ?? 0
            block.value.minPoolSize = min(least, block.value.poolSize ?? least)
        }
        block.value.reservePoolSize = user?.number("reserve_pool_size")
        block.value.database.reservePoolSize = values.number("reserve_pool_size")
        block.value.database.maxServers = values.number("max_db_connections")
        block.value.database.maxClients = values.number("max_db_client_connections")
        block.value.maxUserServers = user?.number("max_user_connections")
        block.value.maxUserClients = user?.number("max_user_client_connections")
        if let statements = main.number("max_prepared_statements"), statements > 0 {
            block.value.maxPreparedStatements = statements
        }
        if main.text("server_reset_query") == nil {
            if block.value.pool == .session { block.value.poolDiscard = false }
        } else if main.flag("server_reset_query_always") {
            block.value.poolDiscard = true
        }
    }

    private func setTimes(_ limits: inout TimeLimits, _ user: IniValues?) {
        limits.serverLifetime = values.lifetime
        limits.wait = user?.timeLimit("query_wait_timeout") ?? values.timeLimit("query_wait_timeout")
        limits.query = user?.timeLimit("query_timeout")
        limits.transaction = user?.timeLimit("transaction_timeout")
        limits.idleTransaction = user?.timeLimit("idle_transaction_timeout")
        limits.clientIdle = user?.timeLimit("client_idle_timeout")
    }

    /// Of the pool of the database; nil is no limit.
    private func limit(_ key: String) -> Int? {
        let size = values.number(key) ?? main.number("default_pool_size")
        return size == 0 ? nil : size
    }
}
