// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Checks what says who may come from where: the files with lines and maps, and whom they have asked about users.
struct AccessChecks {
    private let top: ConfigurationBlock<Settings>
    private let routes: [RouteSettings]
    private let storages: [StorageSettings]
    private let loadsFiles: Bool
    private(set) var findings: ConfigurationFindings

    /// - Parameter loadsFiles: files that are named are opened.
    init(
        _ top: ConfigurationBlock<Settings>, _ routes: [RouteSettings], _ storages: [StorageSettings],
        loadsFiles: Bool, _ findings: ConfigurationFindings
    ) {
        self.top = top
        self.routes = routes
        self.storages = storages
        self.loadsFiles = loadsFiles
        self.findings = findings
    }

    mutating func run() {
        guard let position = top.given["hba_file"], let path = top.value.hbaFile else {
            for name in ["ident_file", "hba_role_query", "hba_role_query_db", "hba_role_query_user"] {
                guard let position = top.given[name] else { continue }
                findings.warn(position, "'\(name)' has no effect without 'hba_file'")
            }
            return
        }
        checkRoleQuery()
        guard loadsFiles else { return }
        let asksRoles = top.value.roleQuerySettings != nil
        do throws(AccessFileFindings) {
            _ = try HostAccessRules(ofFileAt: path, asksRoles: asksRoles)
        } catch {
            for message in error.messages { findings.report(position, "hba_file: \(message)") }
        }
        guard let position = top.given["ident_file"], let path = top.value.identFile else { return }
        do throws(AccessFileFindings) { _ = try IdentityMap(ofFileAt: path) } catch {
            for message in error.messages { findings.report(position, "ident_file: \(message)") }
        }
    }

    private mutating func checkRoleQuery() {
        let names = ["hba_role_query", "hba_role_query_db", "hba_role_query_user"]
        guard let position = names.compactMap({ top.given[$0] }).first else { return }
        guard let query = top.value.roleQuerySettings else {
            return findings.report(
                position, "the roles of users are asked for with hba_role_query_db and hba_role_query_user")
        }
        checkTarget(of: query, named: "hba_role_query", at: position)
    }

    /// A query needs a route that says how the server is reached that is asked.
    mutating func checkTarget(
        of query: UserQuerySettings, named directive: String, at position: ConfigurationPosition
    ) {
        let asked = RouteTable(routes.map { ($0.pattern, $0) }.uniqued).route(of: query)
        let name = "\(query.database).\(query.user)"
        guard let asked, let storage = storages.first(where: { $0.name == asked.storage }) else {
            return findings.report(
                position,
                "\(directive): there is no route \(name), which says where the query is asked and by which password"
            )
        }
        if storage.type == .local {
            findings.report(position, "\(directive): the route \(name) leads to the console")
        }
    }
}

extension Sequence<(RoutePattern, RouteSettings)> {
    /// The first of each pattern: that there are more is told elsewhere.
    fileprivate var uniqued: [(RoutePattern, RouteSettings)] {
        var seen: Set<RoutePattern> = []
        return filter { seen.insert($0.0).inserted }
    }
}
