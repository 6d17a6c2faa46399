// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Readings of parameter values that PostgreSQL shares between its settings.
package enum ParameterValue {
    /// A boolean as PostgreSQL's `parse_bool` reads it: `true`, `false`, `yes`, `no`, `on`, `off`, `1`, `0`,
    /// any case, and any beginning that is not ambiguous.
    package static func bool(_ text: String) -> Bool? {
        let word = text.lowercased()
        guard !word.isEmpty else { return nil }
        if "true".hasPrefix(word) || "yes".hasPrefix(word) || word == "on" || word == "1" { return true }
        if "false".hasPrefix(word) || "no".hasPrefix(word) || word == "0" { return false }
        // `o` alone could be either.
        if word.utf8.count >= 2, "off".hasPrefix(word) { return false }
        return nil
    }
}
