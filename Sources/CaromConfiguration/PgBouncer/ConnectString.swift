// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The value of an entry of `[databases]`, `[users]` or `[peers]`: `key=value` with blanks between them. A value with blanks stands in
/// single quotes, where a quote is written twice.
struct ConnectString {
    /// In their order.
    private(set) var entries: [IniEntry] = []

    /// Reads all of it. What cannot be read is reported, and not repeated, for it may be a part of a password.
    init(_ entry: IniEntry, _ findings: inout ConfigurationFindings) { read(entry, &findings) }

    private mutating func read(_ entry: IniEntry, _ findings: inout ConfigurationFindings) {
        var cursor = LineCursor(entry.value, at: entry.valuePosition)
        while true {
            cursor.skip(while: LineCursor.isSpace)
            guard cursor.current != nil else { return }
            let position = cursor.position
            let key = cursor.take { $0 != "=" && !LineCursor.isSpace($0) }
            cursor.skip(while: LineCursor.isSpace)
            guard cursor.current == "=", !key.isEmpty else {
                return findings.report(
                    position, "expected key=value", hint: "a value with blanks stands in single quotes")
            }
            cursor.advance()
            cursor.skip(while: LineCursor.isSpace)
            let valuePosition = cursor.position
            let isQuoted = cursor.current == "'"
            guard let value = isQuoted ? cursor.takeQuoted() : cursor.take(while: { !LineCursor.isSpace($0) })
            else { return findings.report(valuePosition, "the value has no closing quote") }
            guard !value.isEmpty else { return findings.report(valuePosition, "expected a value behind =") }
            entries.append(
                IniEntry(key: key, value: value, position: position, valuePosition: valuePosition))
        }
    }
}
