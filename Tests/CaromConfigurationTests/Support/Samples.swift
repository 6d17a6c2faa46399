// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

@testable import CaromConfiguration

/// The shortest configuration that is one.
let smallest = """
    listen { host "*" }
    storage "pg" { type "remote" host "127.0.0.1" }
    database default {
        user default { authentication "none" storage "pg" pool "session" }
    }
    """

/// What the parser says about a text, one diagnostic an element; empty for a good one without warnings.
func findings(in text: String, file: String = "a.conf") -> [String] {
    do throws(ConfigurationErrors) {
        return try ConfigurationFile.parse(text: text, file: file).warnings.map(\.description)
    } catch {
        return error.diagnostics.map(\.description)
    }
}
