// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Checks `shared_pool` blocks, and what routes say about them.
struct SharedPoolChecks {
    private let blocks: [ConfigurationBlock<SharedPoolSettings>]
    private(set) var findings: ConfigurationFindings

    init(_ blocks: [ConfigurationBlock<SharedPoolSettings>], _ findings: ConfigurationFindings) {
        self.blocks = blocks
        self.findings = findings
    }

    mutating func run() {
        var defined: [String: ConfigurationPosition] = [:]
        for block in blocks {
            let name = quoted(block.value.name)
            if let first = defined.updateValue(block.position, forKey: block.value.name) {
                findings.report(block.position, "shared_pool \(name) is already defined at \(first)")
            }
            if block.given["pool_size"] == nil, !block.isDamaged {
                findings.report(block.position, "shared_pool \(name) needs a pool_size")
            }
        }
    }

    mutating func check(_ route: ConfigurationBlock<RouteSettings>) {
        guard let name = route.value.sharedPool, let position = route.given["shared_pool"] else { return }
        let names = blocks.map(\.value.name)
        if !names.contains(name) {
            let near = nearest(to: name, among: names)
            findings.report(
                position, "shared_pool \(quoted(name)) is not defined",
                hint: near.map { "did you mean \(quoted($0))?" })
        }
        if route.value.poolSize != nil, let size = route.given["pool_size"] {
            findings.report(size, "a route has either 'pool_size' or 'shared_pool'")
        }
    }
}
