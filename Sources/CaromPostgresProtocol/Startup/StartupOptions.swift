// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The `options` start-up parameter, read as PostgreSQL reads its command line (`pg_split_opts`,
/// `process_postgres_switches`).
///
/// Words are separated by white space; a backslash takes the next character as it is. Settings are `-c
/// name=value`, `-cname=value` and `--name=value`, where `-` in a name means `_`.
package struct StartupOptions: Equatable, Sendable {
    /// Settings in order.
    package private(set) var settings: [StartupParameter] = []
    /// Words that are no setting: other switches, and settings without a value.
    package private(set) var rejected: [String] = []

    package init(_ text: String) {
        var words = Self.words(text)[...]
        while let word = words.popFirst() {
            if word == "-c" {
                if let setting = words.popFirst() { add(setting) } else { rejected.append(word) }
            } else if word.hasPrefix("--") {
                add(String(word.dropFirst(2)))
            } else if word.hasPrefix("-c") {
                add(String(word.dropFirst(2)))
            } else {
                rejected.append(word)
            }
        }
    }

    private mutating func add(_ setting: String) {
        guard let sign = setting.utf8.firstIndex(of: UInt8(ascii: "=")), sign != setting.startIndex else {
            rejected.append(setting)
            return
        }
        let name = String(setting[..<sign].map { $0 == "-" ? "_" : $0 })
        let value = String(setting[setting.utf8.index(after: sign)...])
        settings.append(StartupParameter(name, value))
    }

    /// The words, with their escapes resolved.
    static func words(_ text: String) -> [String] {
        var words: [String] = []
        var word: [UInt8]?
        var isEscaped = false
        for byte in text.utf8 {
            if isEscaped {
                word = word ?? []
                word?.append(byte)
                isEscaped = false
            } else if byte == UInt8(ascii: "\\") {
                isEscaped = true
                word = word ?? []
            } else if byte == 0x20 || (0x09...0x0d).contains(byte) {
                if let bytes = word { words.append(String(decoding: bytes, as: UTF8.self)) }
                word = nil
            } else {
                word = word ?? []
                word?.append(byte)
            }
        }
        if let bytes = word { words.append(String(decoding: bytes, as: UTF8.self)) }
        return words
    }
}
