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
            .flag("reuse_port", \.reusePort),
        ] + Directive.tls + [
            .time("client_login_timeout", in: .milliseconds, optional: \.clientLoginTimeout),
            proxies,
            .ignored("compression"),
        ])

    private static let proxies = Directive<ListenSettings>(
        name: "proxy_protocol", expects: "addresses of proxies in double quotes, with commas between them",
        read: { value, listener throws(ValueError) in
            let expected = "addresses of proxies, such as \"10.0.0.1, 10.0.1.0/24\""
            listener.proxies = try value.text(expected).split(
                separator: ",", omittingEmptySubsequences: false
            )
            .map { part throws(ValueError) in
                let text = HostPort.trimmed(part)
                guard let network = IPNetwork(text) else {
                    throw ValueError(
                        "\(quoted(text)) is no IP address, nor one with a mask; expected \(expected)")
                }
                return ListedNetwork(text: text, network: network)
            }
        },
        write: { listener in
            listener.proxies.isEmpty ? nil : quoted(listener.proxies.map(\.text).joined(separator: ","))
        })
}
