// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why somebody outside a pool holds a backend back.
package struct HoldReason: Sendable, Hashable {
    /// What is told about it, such as "lags 12 s".
    package var text: String
    /// It may go on for long. Otherwise claims wait for the end of it, as they do for a backend that is down.
    package var isLasting: Bool

    package init(_ text: String, isLasting: Bool = true) {
        self.text = text
        self.isLasting = isLasting
    }
}
