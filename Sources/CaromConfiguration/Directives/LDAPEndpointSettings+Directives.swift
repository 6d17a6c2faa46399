// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension LDAPEndpointSettings: ConfigurationScope {
    /// What may stand in an `ldap_endpoint` block.
    package static let directives = DirectiveTable<LDAPEndpointSettings>(
        block: "ldap_endpoint",
        [
            .text("ldapserver", optional: \.service.servers),
            port,
            .choice("ldapscheme", \.service.scheme),
            .flag("ldaptls", \.service.startsTLS),
            .text("ldapprefix", optional: \.service.prefix),
            .text("ldapsuffix", optional: \.service.suffix),
            .text("ldapbasedn", optional: \.service.base),
            .text("ldapbinddn", optional: \.service.bindName),
            .secret("ldapbindpasswd", \.service.bindPassword),
            .text("ldapsearchattribute", optional: \.service.searchAttribute),
            .text("ldapsearchfilter", optional: \.service.searchFilter),
            .choice("ldapscope", \.service.scope),
            .ignored("ldap_pool_size"), .ignored("ldap_pool_timeout"), .ignored("ldap_pool_ttl"),
        ])

    private static let port = Directive<LDAPEndpointSettings>(
        name: "ldapport", expects: "a whole number from 1 to 65535",
        read: { value, endpoint throws(ValueError) in
            endpoint.service.port = try value.number(in: 1...65535)
        },
        write: { $0.service.port.map { "\($0)" } })
}
