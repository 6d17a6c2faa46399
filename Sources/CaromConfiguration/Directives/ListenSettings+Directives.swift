// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension ListenSettings: ConfigurationScope {
    /// What may stand in a `listen` block.
    package static let directives = DirectiveTable<ListenSettings>(
        block: "listen",
        foreign: ["balancing_method", "catchup_timeout", "storage", "target_session_attrs"],
        [
            .text("host", optional: \.host),
            .number("port", \.port, in: 1...65535),
            .number("backlog", \.backlog, in: 1...65535),
        ] + Directive.tls + [
            .time("client_login_timeout", in: .milliseconds, optional: \.clientLoginTimeout),
            .ignored("compression"),
        ])
}
