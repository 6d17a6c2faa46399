// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Checks what says that a service knows passwords: PAM, or servers of LDAP.
struct ServiceChecks {
    private let endpoints: [ConfigurationBlock<LDAPEndpointSettings>]
    private(set) var findings: ConfigurationFindings

    init(_ endpoints: [ConfigurationBlock<LDAPEndpointSettings>], _ findings: ConfigurationFindings) {
        self.endpoints = endpoints
        self.findings = findings
    }

    /// A route with what the endpoint says that it names.
    static func resolved(_ route: RouteSettings, among endpoints: [LDAPEndpointSettings]) -> RouteSettings {
        guard let name = route.ldapEndpoint else { return route }
        var route = route
        route.ldapService = endpoints.first { $0.name == name }?.service
        return route
    }

    /// Checks `ldap_endpoint` blocks.
    mutating func run() {
        var defined: [String: ConfigurationPosition] = [:]
        for block in endpoints {
            let name = "ldap_endpoint \(quoted(block.value.name))"
            guard PackageTrait.built.contains(.ldap) else {
                findings.report(block.position, "'ldap_endpoint' \(PackageTrait.ldap.need)")
                continue
            }
            if let first = defined.updateValue(block.position, forKey: block.value.name) {
                findings.report(block.position, "\(name) is already defined at \(first)")
            }
            guard !block.isDamaged else { continue }
            let service = block.value.service
            if let trouble = service.futility ?? service.contradiction {
                findings.report(block.position, "\(name): \(trouble)")
            }
        }
    }

    /// - Returns: whether a service checks the passwords of a route.
    mutating func check(_ block: ConfigurationBlock<RouteSettings>) -> Bool {
        if let position = block.given["auth_pam_service"] {
            check(block, "auth_pam_service", .pam, at: position)
            return true
        }
        guard let position = block.given["ldap_endpoint_name"] else { return false }
        check(block, "ldap_endpoint_name", .ldap, at: position)
        let names = endpoints.map(\.value.name)
        if let name = block.value.ldapEndpoint, PackageTrait.built.contains(.ldap), !names.contains(name) {
            let near = nearest(to: name, among: names).map { "did you mean \(quoted($0))?" }
            let allowed =
                names.isEmpty ? nil : "allowed: \(names.map { quoted($0) }.joined(separator: ", "))"
            findings.report(
                position, "ldap_endpoint \(quoted(name)) is not defined", hint: near ?? allowed)
        }
        return true
    }

    /// What a service knows is not written down, and servers are logged in to with something else.
    private mutating func check(
        _ block: ConfigurationBlock<RouteSettings>, _ directive: String, _ trait: PackageTrait,
        at position: ConfigurationPosition
    ) {
        let others = [
            "password", "auth_file", "auth_query", "auth_query_user", "auth_query_db", "auth_dbname",
            "ldap_endpoint_name",
        ]
        if !PackageTrait.built.contains(trait) {
            findings.report(position, "'\(directive)' \(trait.need)")
        } else if block.value.authentication != .clearText {
            findings.report(position, "'\(directive)' is for authentication \"clear_text\"")
        } else if let other = others.first(where: { $0 != directive && block.given[$0] != nil }) {
            findings.report(position, "a route has either '\(directive)' or '\(other)'")
        }
    }
}
