// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Reads PgBouncer's ini files into the same configuration as every other grammar.
enum PgBouncerParser {
    /// Reads a file, what it includes, and its `auth_file`.
    static func draft(text: [UInt8], file: String, source: ConfigurationSource) -> ConfigurationDraft {
        draft(of: PgBouncerFile(text: text, file: file, source: source), file: file, source: source)
    }

    /// The same of a file that was read, but for its `auth_file`.
    static func draft(of ini: PgBouncerFile, file: String, source: ConfigurationSource) -> ConfigurationDraft
    {
        var draft = ConfigurationDraft(file: file)
        draft.files = ini.files
        draft.findings = ini.findings
        let top = PgBouncerTop(ini.main)
        top.set(&draft.top)
        draft.listeners = top.listeners(&draft.top.value, &draft.findings)
        let access = PgBouncerAccess(ini.main, source: source, &draft.findings)
        draft.ldapEndpoints = [access.ldapEndpoint].compactMap(\.self)
        for entry in ini.databases {
            let database = PgBouncerDatabase(entry, of: ini)
            database.addStorage(to: &draft)
            database.addRoutes(to: &draft, access)
        }
        addConsole(to: &draft, access, ini.main)
        addPeers(to: &draft, ini)
        warn(of: ini.main, &draft.findings)
        return draft
    }

    /// The database `pgbouncer`, for those of the `auth_file`.
    private static func addConsole(
        to draft: inout ConfigurationDraft, _ access: PgBouncerAccess, _ main: IniValues
    ) {
        let (name, place) = (PgBouncerFile.consoleDatabase, main.place(of: "admin_users"))
        var storage = ConfigurationBlock(StorageSettings(name: name), at: place)
        storage.value.type = .local
        _ = storage.note("type", at: place)
        draft.storages.append(storage)
        for user in access.users(of: nil, configured: []) {
            let pattern = RoutePattern(database: .exact(name), user: user.map(RouteName.exact) ?? .anything)
            var block = ConfigurationBlock(RouteSettings(pattern: pattern), at: place)
            _ = block.note("storage", at: place)
            block.value.storage = name
            access.set(&block, for: user, of: nil, name: name, &draft.findings)
            draft.routes.append(block)
        }
    }

    private static func addPeers(to draft: inout ConfigurationDraft, _ ini: PgBouncerFile) {
        let usual = ini.main.limit("default_pool_size")
        for entry in ini.peers {
            var block = ConfigurationBlock(PeerSettings(name: entry.name), at: entry.values.position)
            block.value.host = entry.values.text("host")
            block.value.port = entry.values.number("port") ?? block.value.port
            block.value.poolSize = entry.values.number("pool_size") ?? usual ?? Int(Int32.max)
            draft.peers.append(block)
        }
    }

    /// Of values that mean something else here.
    private static func warn(of main: IniValues, _ findings: inout ConfigurationFindings) {
        if main.number("max_prepared_statements") == 0 {
            findings.warn(
                main.place(of: "max_prepared_statements"),
                "max_prepared_statements 0: prepared statements always work, and servers hold 200")
        }
        let logged = ["log_connections", "log_disconnections"]
        if main.flag(logged[0]) != main.flag(logged[1]) {
            let place = logged.compactMap { main.position(of: $0) }.first ?? main.position
            findings.warn(place, "log_connections and log_disconnections go together: both are logged")
        }
    }
}
