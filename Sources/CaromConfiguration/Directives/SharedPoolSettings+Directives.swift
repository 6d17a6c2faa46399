// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension SharedPoolSettings: ConfigurationScope {
    /// What may stand in a `shared_pool` block.
    package static let directives = DirectiveTable<SharedPoolSettings>(
        block: "shared_pool", [.number("pool_size", \.poolSize, in: 1...Int(Int32.max))])
}
