// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The `options` start-up parameter, read as PostgreSQL reads its command line (`pg_split_opts`,
/// `process_postgres_switches`).
///
/// Words are separated by white space; a backslash takes the next character as it is. Settings are `-c
/// name=value` and `--name=value`, where `-` in a name means `_`, and the switches that stand for a setting.
/// Whether a client may set them is for the server to say.
package struct StartupOptions: Equatable, Sendable {
    /// Why PostgreSQL refuses the options, with SQLSTATE 42601 (`syntaxError`).
    package enum Refusal: Equatable, Sendable {
        /// The word is no switch, or no argument for its switch.
        case invalidArgument(String)
        /// The setting, with its `-c` or `--`, has no `=`.
        case valueRequired(String)
    }

    /// Settings in order, up to what is refused. PostgreSQL sets them before it refuses that.
    package private(set) var settings: [StartupParameter] = []
    /// The first thing that PostgreSQL refuses without asking which setting it is.
    package private(set) var refusal: Refusal?
    /// The word that is refused, if there is one.
    package var rejected: [String] { refusal.map { [$0.word] } ?? [] }

    package init(_ text: String) {
        // As getopt: words that are no switches may stand between them, and `--` ends the switches.
        var words = Self.words(text)[...]
        var operands: [String] = []
        // What PostgreSQL takes for the word that it stopped at: the one before, if letters are left in this one.
        var last = "postgres"
        while let word = words.popFirst() {
            if word == "--" { break }
            guard word.hasPrefix("-"), word != "-" else {
                operands.append(word)
                continue
            }
            refusal = read(word, &words, before: operands.last ?? last, last: &last)
            if refusal != nil { return }
        }
        if let operand = operands.first ?? words.first { refusal = .invalidArgument(operand) }
    }

    /// Reads the letters of a word that begins with a dash. The last of them may take the next word.
    private mutating func read(
        _ word: String, _ words: inout ArraySlice<String>, before: String, last: inout String
    ) -> Refusal? {
        last = word
        var letters = word.dropFirst()
        while let letter = letters.popFirst() {
            let isOver = letters.isEmpty
            guard let option = StartupSwitch(letter) else { return .invalidArgument(isOver ? word : before) }
            var argument = String(letters)
            if option.takesArgument {
                if isOver {
                    guard let next = words.popFirst() else { return .invalidArgument(word) }
                    argument = next
                    last = next
                }
                letters = ""
            }
            switch option.settings(argument) {
            case .success(let found): settings += found
            case .failure(.unfit): return .invalidArgument(last)
            case .failure(.noValue): return .valueRequired("\(letter == "c" ? "-c " : "--")\(argument)")
            }
        }
        return nil
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

extension StartupOptions.Refusal {
    /// The word at fault.
    package var word: String {
        switch self {
        case .invalidArgument(let word), .valueRequired(let word): word
        }
    }

    /// What PostgreSQL says.
    package var message: String {
        switch self {
        case .invalidArgument(let word): "invalid command-line argument for server process: \(word)"
        case .valueRequired(let word): "\(word) requires a value"
        }
    }

    package var hint: String? {
        switch self {
        case .invalidArgument: "Try \"postgres --help\" for more information."
        case .valueRequired: nil
        }
    }
}
