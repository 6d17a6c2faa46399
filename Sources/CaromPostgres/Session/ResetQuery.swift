// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What takes everything out of a session: `DISCARD ALL`, or what an operator has put in its place.
package struct ResetQuery: Equatable, Sendable {
    package let text: String
    /// It ends all prepared statements.
    package let endsStatements: Bool
    /// It takes all settings back.
    package let resetsSettings: Bool

    package static let discardAll = ResetQuery("DISCARD ALL")

    package init(_ text: String) {
        self.text = text
        let bytes = Array(text.utf8)
        let effects = StatementEffects(of: bytes.span.bytes)
        endsStatements =
            effects.contains(.deallocates) && Deallocations(in: bytes.span.bytes).named.isEmpty
        resetsSettings = effects.contains(.resetsAll)
    }
}

extension ServerState {
    /// A reset is on its way or has been answered. What it does not take out is still there, as far as the pooler knows of it.
    package mutating func didReset(by query: ResetQuery) {
        let settings = applied
        if query.endsStatements { didReset() } else { didResetState() }
        if !query.resetsSettings { apply(settings) }
    }
}
