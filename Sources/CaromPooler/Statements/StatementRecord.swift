// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// A client's prepared statement as another process is told of it: what it is, not what servers have of it.
struct StatementRecord: Equatable, Sendable {
    /// The client's name; empty for the unnamed statement.
    var name: [UInt8]
    /// Text, terminator and types, as Parse has them.
    var content: [UInt8]
    /// The key of the settings that the text is read by; nil if they were not known.
    var meaning: [UInt8]?
    /// The types that the client was told and has not said itself.
    var types: [UInt8]?
    /// The digest of the rows that the client was told of; 0 for none.
    var rows: UInt64 = 0
}

extension StatementRecord {
    /// The statement as it is registered here.
    ///
    /// - Parameter share: makes the types that a client was told.
    func told(_ share: ([UInt8]) -> ParameterTypes) -> ClientDescriptions.Told {
        ClientDescriptions.Told(types: types.map(share), rows: rows)
    }
}

extension TextMeaning {
    /// The meaning of a key.
    convenience init(key: [UInt8]) {
        var settings = SettingValues()
        let words = key.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        // Names and values in turn, and nothing behind the last terminator.
        for index in stride(from: 0, to: words.count - 2, by: 2) {
            settings.set(words[index], to: words[index + 1])
        }
        self.init(settings)
    }
}
