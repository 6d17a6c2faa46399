// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What can be done with a database, or with all of them.
enum DatabaseAction: String, Sendable {
    case pause = "PAUSE"
    case resume = "RESUME"
    case disable = "DISABLE"
    case enable = "ENABLE"
    case reconnect = "RECONNECT"
    case kill = "KILL"
    case waitClose = "WAIT_CLOSE"

    /// The statement `PAUSE`, `PAUSE shop` or `PAUSE "Shop"` as the name that it has; nil inside is none.
    ///
    /// - Returns: nil for a statement that is another one.
    func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> String?? {
        guard words[0].isKeyword(rawValue.lowercased()) else { return nil }
        guard words.count <= 2 else {
            throw ConsoleError(.syntaxError, "expected one database behind \(rawValue)")
        }
        return .some(words.count == 2 ? words[1].text : nil)
    }
}
