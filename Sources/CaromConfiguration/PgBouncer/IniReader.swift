// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `key = value`, and where both stand.
struct IniEntry: Hashable, Sendable {
    let key: String
    let value: String
    let position: ConfigurationPosition
    let valuePosition: ConfigurationPosition
}

/// What an ini file is made of.
enum IniItem: Hashable, Sendable {
    /// `[name]`: what follows belongs to it, until there is another, in whichever file.
    case section(String, ConfigurationPosition)
    case entry(IniEntry)
}

/// Reads ini files as PgBouncer does, and what they include: a comment is a line that begins with `;` or `#`, a value goes up to the end
/// of its line, and a name with other characters than letters, digits, `_`, `.`, `-` and `*` stands in double quotes.
struct IniReader {
    private let source: ConfigurationSource
    private(set) var items: [IniItem] = []
    /// In the order they were opened.
    private(set) var files: [String]
    /// What the included ones say.
    private(set) var texts: [String: [UInt8]] = [:]
    private(set) var findings = ConfigurationFindings()

    /// How deep files may include files.
    static let deepestInclude = 10

    init(text: [UInt8], file: String, source: ConfigurationSource) {
        self.source = source
        files = [file]
        read(text, of: file, through: [shortestPath(file)])
    }

    private mutating func read(_ text: [UInt8], of file: String, through chain: [String]) {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = text.starts(with: mark) ? text.dropFirst(mark.count) : text[...]
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (index, bytes) in lines.enumerated() {
            let start = ConfigurationPosition(file: file, line: index + 1, column: 1)
            if bytes.contains(0) {
                findings.report(start, "the line has a NUL byte")
            } else if let line = String(validating: bytes, as: UTF8.self) {
                read(LineCursor(line, at: start), through: chain)
            } else {
                findings.report(start, "the line is not valid UTF-8")
            }
        }
    }

    private mutating func read(_ line: LineCursor, through chain: [String]) {
        var line = line
        line.skip(while: LineCursor.isSpace)
        switch line.current {
        case nil, ";", "#": return
        case "[":
            guard readSection(&line) else { return }
            read(line, through: chain)
        case "%": readInclude(&line, through: chain)
        default: readEntry(&line)
        }
    }

    /// - Returns: whether something may follow in the line.
    private mutating func readSection(_ line: inout LineCursor) -> Bool {
        let position = line.position
        line.advance()
        let name = line.take { $0 != "]" }
        guard line.current != nil else {
            findings.report(position, "the name of the section has no ] behind it")
            return false
        }
        line.advance()
        items.append(.section(name, position))
        return true
    }

    private mutating func readEntry(_ line: inout LineCursor) {
        let position = line.position
        let isQuoted = line.current == "\""
        guard let key = isQuoted ? line.takeQuoted() : line.take(while: Self.isNameCharacter) else {
            return findings.report(position, "the name that begins here has no closing quote")
        }
        line.skip(while: LineCursor.isBlank)
        guard line.current == "=" else {
            let what = key.isEmpty ? "expected a name" : "expected '=' behind \(quoted(key))"
            return findings.report(
                line.position, what, hint: "a comment is a line that begins with ; or #")
        }
        guard !key.isEmpty else { return findings.report(position, "expected a name in front of '='") }
        line.advance()
        line.skip(while: LineCursor.isBlank)
        let valuePosition = line.position
        items.append(
            .entry(
                IniEntry(
                    key: key, value: line.takeRest(), position: position, valuePosition: valuePosition)))
    }

    private mutating func readInclude(_ line: inout LineCursor, through chain: [String]) {
        let position = line.position
        let word = line.take { !LineCursor.isSpace($0) }
        line.skip(while: LineCursor.isBlank)
        let path = line.takeRest()
        guard word == "%include", !path.isEmpty else {
            return findings.report(position, "expected %include and a path")
        }
        let canonical = shortestPath(path)
        if chain.contains(canonical) {
            let way = (chain + [canonical]).joined(separator: " → ")
            return findings.report(position, "%include: \(quoted(path)) includes itself: \(way)")
        }
        guard chain.count <= Self.deepestInclude else {
            let limit = Self.deepestInclude
            return findings.report(position, "%include: \(quoted(path)) is more than \(limit) includes deep")
        }
        switch source.read(path) {
        case .failure(let failure):
            findings.report(position, "%include: \(quoted(path)) cannot be read: \(failure.reason)")
        case .success(let text):
            if !files.contains(path) { files.append(path) }
            texts[path] = text
            read(text, of: path, through: chain + [canonical])
        }
    }

    private static func isNameCharacter(_ character: Unicode.Scalar) -> Bool {
        switch character {
        case "a"..."z", "A"..."Z", "0"..."9", "_", ".", "-", "*": true
        default: false
        }
    }
}
