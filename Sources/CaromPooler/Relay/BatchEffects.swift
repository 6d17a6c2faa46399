// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What the extended messages since the last Sync may do to the session.
struct BatchEffects {
    // The large one first: every client has these.
    /// The settings that they take back: each alone in its statement, or nil.
    private var resets: [String?] = []
    private(set) var effects = StatementEffects.none
    /// Something was executed behind them: a Bind alone does nothing.
    private(set) var runs = false

    /// They do nothing.
    @inline(__always)
    var isEmpty: Bool { effects.isEmpty }

    /// The setting that they take back, if that is the one change of settings.
    var resetAlone: String? { runs && resets.count == 1 ? resets[0] : nil }

    /// A statement is bound.
    ///
    /// - Parameter reset: the setting that it takes back, if that is all that it does.
    mutating func add(_ new: StatementEffects, reset: @autoclosure () -> String?) {
        effects.append(new)
        // What is set beside a reset is no less the client's wish.
        if new.contains(.settings) { resets.append(new.contains(.resets) ? reset() : nil) }
    }

    /// The same in session pooling, where what follows from it is done at the Sync.
    mutating func addKept(_ new: StatementEffects) {
        let isSecond = effects.contains(.settings) && new.contains(.settings)
        effects.append(new)
        // Which of them runs last is not known.
        if isSecond { effects.remove(.resetsAll) }
    }

    /// Something is executed.
    @inline(__always)
    mutating func noteRun() { if !isEmpty { runs = true } }

    /// The batch is over.
    @inline(__always)
    mutating func end() { if !isEmpty { self = BatchEffects() } }
}
