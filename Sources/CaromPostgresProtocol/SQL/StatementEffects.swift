// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What the text of a statement, or of several with semicolons between them, may do to its session.
///
/// It is read from the text alone. What triggers, rules, defaults, operators, casts and the functions in views
/// do is not seen. Doubt is settled towards more effects.
package struct StatementEffects: OptionSet, Sendable, Hashable {
    package let rawValue: UInt16

    @inline(__always)
    package init(rawValue: UInt16) { self.rawValue = rawValue }

    // An empty literal and the inherited `isEmpty` go through the protocol, at run time, for each query.

    /// No effects.
    package static var none: StatementEffects { StatementEffects(rawValue: 0) }

    /// There are no effects.
    package var isEmpty: Bool { rawValue == 0 }

    /// It may change settings, also those of its transaction alone, or what is listened to, or wants a database for itself. A literal
    /// of them would go through the protocol, too, at some two thousand instructions for each statement.
    package var concernBooks: Bool {
        rawValue
            & (Self.settings.rawValue | Self.setsLocally.rawValue | Self.vacatesDatabase.rawValue
                | Self.listens.rawValue) != 0
    }

    /// It may change settings beyond its transaction: `SET`, `RESET`, `DISCARD ALL`, `set_config`.
    package static let settings = StatementEffects(rawValue: 1 << 0)
    /// It may take a setting back to its default. Comes with `settings`.
    package static let resets = StatementEffects(rawValue: 1 << 1)
    /// `RESET ALL` or `DISCARD ALL`, and no other change of settings behind it. Comes with `settings` and `resets`.
    package static let resetsAll = StatementEffects(rawValue: 1 << 2)
    /// It makes something of the session that outlives the transaction: a prepared statement, a cursor `WITH HOLD`,
    /// a temporary object, a `LISTEN`, an advisory lock.
    package static let keeps = StatementEffects(rawValue: 1 << 3)
    /// It may end such a thing.
    package static let letsGo = StatementEffects(rawValue: 1 << 4)
    /// `DEALLOCATE` or `DISCARD ALL`. Comes with `letsGo`.
    package static let deallocates = StatementEffects(rawValue: 1 << 5)
    /// It calls `nextval` or `setval`.
    package static let advancesSequences = StatementEffects(rawValue: 1 << 6)
    /// It calls `currval` or `lastval`.
    package static let readsSequences = StatementEffects(rawValue: 1 << 7)
    /// It calls a function that is not known to leave the session alone.
    package static let callsUnknown = StatementEffects(rawValue: 1 << 8)
    /// It runs code that cannot be seen and may do anything (`DO`, `CALL`, `EXECUTE`, `LOAD`, `COPY … PROGRAM`), or
    /// where its tokens end depends on what is not known here.
    package static let runsCode = StatementEffects(rawValue: 1 << 9)
    /// It needs a database that no other session is in, see ``VacatedDatabases``.
    package static let vacatesDatabase = StatementEffects(rawValue: 1 << 10)

    /// It takes the role back to what the session began with: `RESET ROLE`, `RESET SESSION AUTHORIZATION`, `DISCARD ALL`, not
    /// `RESET ALL`. Comes with `settings` and `resets`, and never with `setsRole`.
    package static let resetsRole = StatementEffects(rawValue: 1 << 11)
    /// It sets the role, or another session user, who has none. Comes with `settings`.
    package static let setsRole = StatementEffects(rawValue: 1 << 12)
    /// It changes settings until the end of its transaction: `SET LOCAL`, `set_config(…, true)`.
    package static let setsLocally = StatementEffects(rawValue: 1 << 13)
    /// It changes what the session listens to: `LISTEN`, `UNLISTEN`, `DISCARD ALL`. Comes with `keeps` or `letsGo`.
    package static let listens = StatementEffects(rawValue: 1 << 14)
    /// A statement behind the first may insert rows, and so advance the sequence of a column's default. Of the first,
    /// ``RowWriting`` tells.
    package static let addsRowsBehind = StatementEffects(rawValue: 1 << 15)

    /// Adds what runs behind it: of the role, the last change counts.
    @inline(__always)
    package mutating func append(_ later: StatementEffects) {
        if !later.isDisjoint(with: [.resetsRole, .setsRole]) { subtract([.resetsRole, .setsRole]) }
        formUnion(later)
    }

    /// What text may do that cannot be cut into tokens safely.
    static let unreadable: StatementEffects = [.runsCode, .settings, .resets, .keeps]

    /// Reads `text`, which has no terminating zero byte.
    @inline(__always)
    package init(of text: RawSpan) {
        self = text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return .none }
            return Self.atAGlance(base, bytes.count) ?? Self.scanning(base, bytes.count)
        }
    }

    /// Reads `text` token by token, as `init(of:)` does where a glance is not enough.
    package static func scanning(_ text: RawSpan) -> StatementEffects {
        text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return .none }
            return scanning(base, bytes.count)
        }
    }

    @inline(never)
    private static func scanning(_ base: UnsafeRawPointer, _ count: Int) -> StatementEffects {
        var scanner = StatementScanner(base.assumingMemoryBound(to: UInt8.self), count: count)
        return scanner.run()
    }
}
