// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Texts that open a transaction and do nothing else: `BEGIN`, `START TRANSACTION`, with modes and comments.
package enum TransactionStart {
    /// Whether the text is nothing else. False for what cannot be cut into tokens safely.
    package static func isAll(of text: RawSpan) -> Bool {
        text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return false }
            var tokens = SQLTokenizer(base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
            let first = tokens.next()
            if tokens.isKeyword(first, "start") {
                let second = tokens.next()
                guard tokens.isKeyword(second, "transaction") else { return false }
            } else if !tokens.isKeyword(first, "begin") {
                return false
            }
            var isOver = false
            while true {
                let token = tokens.next()
                switch token.kind {
                case .end: return !tokens.isAmbiguous
                case .semicolon: isOver = true
                default: if isOver { return false }
                }
            }
        }
    }
}
