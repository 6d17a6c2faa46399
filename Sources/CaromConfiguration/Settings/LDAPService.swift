// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Servers of LDAP that check passwords, and how they are asked: what PostgreSQL's method `ldap` has options for.
package struct LDAPService: Hashable, Sendable {
    package enum Scheme: String, CaseIterable, Sendable { case ldap, ldaps }

    /// Which entries are looked at.
    package enum Scope: String, CaseIterable, Sendable {
        case base
        /// Those right below the base.
        case one
        /// The base and all below it.
        case sub
        /// All below it.
        case children
    }

    /// `ldapscheme`.
    package var scheme = Scheme.ldap
    /// `ldapserver`: with blanks between them. Without one, the base says whose SRV records have them.
    package var servers: String?
    /// `ldapport`; `nil` for the scheme's.
    package var port: Int?
    /// `ldaptls`: the connection is encrypted by StartTLS.
    package var startsTLS = false
    /// `ldapprefix` and `ldapsuffix`: what stands around a user's name in the name that it is bound as.
    package var prefix: String?
    package var suffix: String?
    /// `ldapbasedn`: where a user's entry is looked for.
    package var base: String?
    /// `ldapbinddn` and `ldapbindpasswd`: who looks for it; `nil` for nobody in particular.
    package var bindName: String?
    package var bindPassword: Secret?
    /// `ldapsearchattribute`: what has the user's name in the entry.
    package var searchAttribute: String?
    /// `ldapsearchfilter`: with `$username` for the name, in place of an attribute.
    package var searchFilter: String?
    /// `ldapscope`.
    package var scope = Scope.sub

    package init() {}

    /// What stands for the name in a filter.
    package static let placeholder = "$username"

    /// A server for each, in their order.
    package var addresses: [LDAPServer] {
        let port = port ?? (scheme == .ldaps ? 636 : 389)
        return (servers ?? "").split(separator: " ").map { LDAPServer(host: String($0), port: port) }
    }

    /// Why these options cannot be together, as PostgreSQL sees it; `nil` if they can.
    var contradiction: String? {
        if prefix != nil || suffix != nil {
            let searches =
                base != nil || bindName != nil || bindPassword != nil || searchAttribute != nil
                || searchFilter != nil
            return searches
                ? "either ldapprefix and ldapsuffix, or a search by ldapbasedn, ldapbinddn, ldapbindpasswd, ldapsearchattribute, ldapsearchfilter or ldapurl"
                : nil
        }
        if base == nil { return "LDAP needs ldapbasedn, ldapprefix or ldapsuffix" }
        if searchAttribute != nil, searchFilter != nil {
            return "either ldapsearchattribute or ldapsearchfilter"
        }
        return nil
    }

    /// What else is no use. PostgreSQL finds that out, or does not, when somebody logs in.
    var futility: String? {
        if addresses.isEmpty { return "needs ldapserver" }
        // It is not repeated: somebody may have put a user and a password in front of it.
        if !addresses.allSatisfy({ LDAPSyntax.isHost($0.host) }) {
            return "ldapserver: expected names or addresses, with blanks between them"
        }
        if (bindName == nil) != (bindPassword == nil) {
            return "ldapbinddn and ldapbindpasswd need each other"
        }
        if startsTLS, scheme == .ldaps { return "ldaptls is for ldapscheme \"ldap\"" }
        if let base, !LDAPSyntax.isName(base) {
            return "ldapbasedn: expected name=value, with commas between them"
        }
        if let searchAttribute, !LDAPSyntax.isAttribute(searchAttribute) {
            return "ldapsearchattribute: expected the name of an attribute: letters, digits, -"
        }
        guard let searchFilter else { return nil }
        // Whoever knows the password of the one entry that it fits could be anybody.
        if !searchFilter.contains(Self.placeholder) {
            return "ldapsearchfilter has no \(Self.placeholder), which stands for the user's name"
        }
        if !LDAPSyntax.isFilter(searchFilter) {
            return
                "ldapsearchfilter: expected a filter such as (uid=\(Self.placeholder)), its parentheses in pairs"
        }
        return nil
    }
}

/// An `ldap_endpoint` block: a service that routes name.
package struct LDAPEndpointSettings: Equatable, Sendable {
    package var name: String
    package var service = LDAPService()

    package init(name: String) { self.name = name }
}
