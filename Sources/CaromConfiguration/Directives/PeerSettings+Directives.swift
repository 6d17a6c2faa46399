// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension PeerSettings: ConfigurationScope {
    /// What may stand in a `peer` block.
    package static let directives = DirectiveTable<PeerSettings>(
        block: "peer",
        [
            .text("host", optional: \.host),
            .number("port", \.port, in: 1...65535),
            .number("pool_size", \.poolSize, in: 1...Int(Int32.max)),
        ])
}
