// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// The prepared statements of a client that keeps its server which may change settings when they run.
///
/// The server knows all of the client's statements by its names, so nothing else needs to be known of them.
struct SettingStatements {
    private struct Entry {
        let effects: StatementEffects
        /// The batch of the Parse.
        let batch: UInt64
    }

    private var entries: [[UInt8]: Entry] = [:]
    /// There were too many to be kept: any statement may be one.
    private var areMany = false

    /// A client that has more of them has its session looked at behind each of its statements.
    private static var most: Int { 1_000 }

    /// What may be done to settings in this batch, after an extended message of the client's. Databases that must be left for it
    /// are noted in the book.
    ///
    /// - Parameter batch: the number of the batch.
    mutating func effects(of tag: UInt8, _ body: RawSpan, in batch: UInt64, _ book: inout SessionBook)
        -> StatementEffects
    {
        switch tag {
        case FrontendTag.parse.rawValue: parsed(body, in: batch, &book)
        case FrontendTag.bind.rawValue: bound(body, in: batch)
        default: .none
        }
    }

    private mutating func parsed(_ body: RawSpan, in batch: UInt64, _ book: inout SessionBook)
        -> StatementEffects
    {
        var reader = WireReader(body)
        guard let name = try? reader.readText(), let text = try? reader.readText() else { return .none }
        let effects = StatementEffects(of: body.extracting(text))
        book.note(effects.intersection(.vacatesDatabase), ofText: body.extracting(text))
        let isSetting = effects.contains(.settings)
        if entries.isEmpty, !isSetting { return effects }
        if entries.count >= Self.most { areMany = true }
        entries[body.array(name)] = isSetting && !areMany ? Entry(effects: effects, batch: batch) : nil
        return effects
    }

    private func bound(_ body: RawSpan, in batch: UInt64) -> StatementEffects {
        if entries.isEmpty, !areMany { return .none }
        guard let names = try? Bind.Names(body: body) else { return .none }
        if let entry = entries[body.array(names.statement)] {
            // The Parse has told of it.
            return entry.batch == batch ? .none : entry.effects
        }
        return areMany ? [.settings, .resets] : .none
    }
}
