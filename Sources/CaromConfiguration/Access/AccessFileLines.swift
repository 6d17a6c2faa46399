// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A file of PostgreSQL's client authentication (`pg_hba.conf`, `pg_ident.conf`), cut into lines, fields and tokens as PostgreSQL cuts it
/// (`hba.c`): blanks between fields, commas between tokens of a field, `"` around what is meant literally, `#` in front of a comment, `\` at
/// the end of a line that goes on, and `@file` for the tokens of another file.
struct AccessFileLines {
    /// A word of a field.
    struct Token: Equatable, Sendable {
        let text: String
        /// It begins with a quote: then it is no keyword, and no name of a file.
        let isQuoted: Bool

        func isKeyword(_ word: String) -> Bool { !isQuoted && text == word }
    }

    /// A line that says something.
    struct Line: Equatable, Sendable {
        /// From 1; of one that goes on, its first.
        let number: Int
        let fields: [[Token]]
    }

    let lines: [Line]
    /// Of all files that were read, the first one first.
    let paths: [String]

    /// Files inside of files, one in the other.
    private static let deepest = 10

    /// Reads a file, and those that it includes.
    ///
    /// - Throws: all lines with something wrong in them.
    init(ofFileAt path: String, _ source: ConfigurationSource) throws(AccessFileFindings) {
        switch source.read(path) {
        case .failure(let failure):
            throw AccessFileFindings(path: path, [.init(line: nil, "cannot be read: \(failure.reason)")])
        case .success(let text):
            let cutter = Cutter(source: source, directory: directory(of: path), depth: 0)
            var record = Record(paths: [path])
            lines = cutter.lines(of: text, &record)
            paths = record.paths
            if !record.found.isEmpty { throw AccessFileFindings(path: path, record.found) }
        }
    }

    /// What there is to be told beside the lines.
    private struct Record {
        var paths: [String]
        var found: [AccessFileFindings.Finding] = []
    }

    /// Cuts the text of one file.
    private struct Cutter {
        let source: ConfigurationSource
        /// What names of included files are relative to.
        let directory: String
        let depth: Int

        func lines(of text: [UInt8], _ record: inout Record) -> [Line] {
            var lines: [Line] = []
            for (number, content) in Self.logicalLines(of: text) {
                do throws(Trouble) {
                    let fields = try fields(of: content, &record)
                    if !fields.isEmpty { lines.append(Line(number: number, fields: fields)) }
                } catch {
                    record.found.append(.init(line: number, error.message))
                }
            }
            return lines
        }

        private struct Trouble: Error {
            let message: String
        }

        /// The lines with those that they go on in, each with its number.
        private static func logicalLines(of text: [UInt8]) -> [(Int, [UInt8])] {
            var lines: [(Int, [UInt8])] = []
            var open: (number: Int, content: [UInt8])?
            var number = 0
            for part in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
                number += 1
                var content = part
                while content.last == UInt8(ascii: "\r") { content.removeLast() }
                let goesOn = content.last == UInt8(ascii: "\\")
                if goesOn { content.removeLast() }
                let whole = (open?.number ?? number, (open?.content ?? []) + content)
                open = goesOn ? whole : nil
                if !goesOn { lines.append(whole) }
            }
            if let open { lines.append(open) }
            return lines
        }

        private func fields(of line: [UInt8], _ record: inout Record) throws(Trouble) -> [[Token]] {
            var rest = line[...]
            var fields: [[Token]] = []
            while !rest.isEmpty {
                let field = try nextField(&rest, behind: fields, &record)
                if !field.isEmpty { fields.append(field) }
            }
            return fields
        }

        private func nextField(
            _ rest: inout ArraySlice<UInt8>, behind fields: [[Token]], _ record: inout Record
        ) throws(Trouble) -> [Token] {
            var tokens: [Token] = []
            var hasMore = true
            while hasMore, let token = try nextToken(&rest, &hasMore) {
                guard !token.isQuoted, token.text.first == "@", token.text.utf8.count > 1 else {
                    tokens.append(token)
                    continue
                }
                do throws(Trouble) {
                    tokens += try included(String(token.text.dropFirst()), &record)
                } catch {
                    // What was to be the name of a file may belong to a password that should stand in quotes.
                    let isBehindSecret = (fields + [tokens]).joined().contains {
                        $0.text.hasPrefix(LDAPOptions.secret + "=")
                    }
                    throw isBehindSecret ? Trouble(message: LDAPOptions.behindSecret) : error
                }
            }
            return tokens
        }

        /// - Parameter hasMore: whether a comma follows, so that the field has another token.
        private func nextToken(_ rest: inout ArraySlice<UInt8>, _ hasMore: inout Bool) throws(Trouble)
            -> Token?
        {
            hasMore = false
            rest = rest.drop { Self.isBlank($0) || $0 == UInt8(ascii: ",") }
            var text: [UInt8] = []
            var isQuoted = false
            var hasQuote = false
            var isInside = false
            var wasQuote = false
            while let byte = rest.first, isInside || !Self.isBlank(byte) {
                if byte == UInt8(ascii: "#"), !isInside {
                    rest = []
                    break
                }
                rest.removeFirst()
                if byte == UInt8(ascii: ","), !isInside {
                    hasMore = true
                    break
                }
                if byte == 0 { throw Trouble(message: "a zero byte") }
                let isQuote = byte == UInt8(ascii: "\"")
                // Two of them are one.
                if !isQuote || wasQuote { text.append(byte) }
                wasQuote = isInside && isQuote && !wasQuote
                if isQuote {
                    isInside.toggle()
                    hasQuote = true
                    if text.isEmpty { isQuoted = true }
                }
            }
            if !hasQuote, text.isEmpty { return nil }
            return Token(text: String(decoding: text, as: UTF8.self), isQuoted: isQuoted)
        }

        private static func isBlank(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
        }

        /// All tokens of an included file, whatever their lines and fields.
        private func included(_ name: String, _ record: inout Record) throws(Trouble) -> [Token] {
            let path = name.hasPrefix("/") ? name : directory + name
            record.paths.append(path)
            guard depth < AccessFileLines.deepest else {
                throw Trouble(
                    message:
                        "\(quoted(path)): more than \(AccessFileLines.deepest) files inside of each other")
            }
            let text: [UInt8]
            switch source.read(path) {
            case .failure(let failure):
                throw Trouble(message: "\(quoted(path)) cannot be read: \(failure.reason)")
            case .success(let content): text = content
            }
            let inner = Cutter(
                source: source, directory: CaromConfiguration.directory(of: path), depth: depth + 1)
            var inside = Record(paths: record.paths)
            let lines = inner.lines(of: text, &inside)
            record.paths = inside.paths
            if let first = inside.found.first { throw Trouble(message: "in \(quoted(path)): \(first)") }
            return lines.flatMap { $0.fields.flatMap(\.self) }
        }
    }
}

/// What is wrong with a file that says who may come, and where.
package struct AccessFileFindings: Error, Equatable, CustomStringConvertible {
    package struct Finding: Equatable, Sendable, CustomStringConvertible {
        /// Nil if it concerns the file as a whole.
        package let line: Int?
        package let message: String

        init(line: Int?, _ message: String) {
            self.line = line
            self.message = message
        }

        package var description: String { line.map { "line \($0): \(message)" } ?? message }
    }

    package let path: String
    package let findings: [Finding]

    init(path: String, _ findings: [Finding]) {
        self.path = path
        self.findings = findings
    }

    /// A line each, as `file:line: message`.
    package var messages: [String] {
        findings.map { finding in
            finding.line.map { "\(path):\($0): \(finding.message)" } ?? "\(quoted(path)) \(finding.message)"
        }
    }

    package var description: String { messages.joined(separator: "\n") }
}
