// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Checks `peer` blocks.
struct PeerChecks {
    private let blocks: [ConfigurationBlock<PeerSettings>]
    private(set) var findings: ConfigurationFindings

    init(_ blocks: [ConfigurationBlock<PeerSettings>], _ findings: ConfigurationFindings) {
        self.blocks = blocks
        self.findings = findings
    }

    /// - Parameter own: the `peer_id` of this pooler; 0 is none.
    mutating func run(own: Int) {
        var defined: [Int: ConfigurationPosition] = [:]
        for block in blocks {
            guard let id = block.value.id else {
                findings.report(
                    block.position,
                    "the name of a peer is \(PeerSettings.ids.sentence), not \(quoted(block.value.name))")
                continue
            }
            if let first = defined.updateValue(block.position, forKey: id) {
                findings.report(block.position, "peer \(id) is already defined at \(first)")
            }
            if block.value.host == nil, !block.isDamaged {
                findings.report(block.position, "peer \(id) needs a host")
            }
        }
        if own == 0, let first = blocks.first {
            findings.warn(
                first.position, "no peer is asked: there is no peer_id, by which they know this pooler")
        }
    }
}
