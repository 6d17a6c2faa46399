// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Reads configuration files into blocks. It goes on after every mistake, so that all of them are found in one run.
struct ConfigurationParser {
    let source: ConfigurationSource
    var cursor: ConfigurationCursor
    var diagnostics: [ConfigurationDiagnostic] = []
    var listeners: [ConfigurationBlock<ListenSettings>] = []
    var storages: [ConfigurationBlock<StorageSettings>] = []
    var routes: [ConfigurationBlock<RouteSettings>] = []
    /// The chain of includes that leads to the file being read, as paths in their shortest form.
    var openFiles: [String]
    /// All files, in the order they were opened.
    var files: [String]

    /// What handles a word that begins a block; the word itself is stepped over.
    typealias Section<Scope> = (
        inout ConfigurationParser, ConfigurationToken, inout ConfigurationBlock<Scope>
    ) -> Void

    init(text: [UInt8], file: String, source: ConfigurationSource) {
        self.source = source
        let output = ConfigurationLexer.tokens(of: text, file: file)
        cursor = ConfigurationCursor(output, file: file)
        diagnostics = output.diagnostics
        openFiles = [shortestPath(file)]
        files = [file]
    }

    mutating func report(_ position: ConfigurationPosition, _ message: String, hint: String? = nil) {
        // What a string without end has swallowed is not missing.
        if cursor.endsInsideString, cursor.current.kind == .end, cursor.current.position == position {
            return
        }
        diagnostics.append(ConfigurationDiagnostic(.error, at: position, message, hint: hint))
    }

    mutating func warn(_ position: ConfigurationPosition, _ message: String) {
        diagnostics.append(ConfigurationDiagnostic(.warning, at: position, message))
    }

    /// Reads statements up to the `}` of the block, or at the top up to the end of the file.
    mutating func parseStatements<Scope>(
        of block: inout ConfigurationBlock<Scope>, by table: DirectiveTable<Scope>, isTop: Bool = false,
        sections: [String: Section<Scope>]
    ) {
        var secretLine: (name: String, line: Int)?
        while true {
            let token = cursor.current
            switch token.kind {
            case .end:
                if !isTop { reportUnclosed(table.block, at: block.position) }
                return
            case .rightBrace:
                cursor.advance()
                guard isTop else { return }
                report(token.position, "'}' closes nothing")
                block.isDamaged = true
            case .leftBrace:
                report(token.position, "expected a directive, found '{'")
                block.isDamaged = true
                cursor.skipBlock()
            case .string, .number:
                report(
                    token.position,
                    "expected a directive, found \(token.isBehindQuote ? "a number right behind a string" : token.kind.noun)"
                )
                block.isDamaged = true
                skipValues()
            case .word(let name):
                if let directive = table[name] {
                    parse(directive, by: table, into: &block)
                    if directive.isSecret { secretLine = (name, token.position.line) }
                } else if let section = sections[name] {
                    cursor.advance()
                    section(&self, token, &block)
                } else if let secretLine, secretLine.line == token.position.line {
                    // A password with a bare quote in it falls to pieces; the pieces are not for the log.
                    report(
                        token.position, "unexpected word behind \(secretLine.name)",
                        hint: "a quote inside a string is written \\\"")
                    block.isDamaged = true
                    skipUnknown()
                } else if token.isBehindQuote {
                    report(
                        token.position, "unexpected word right behind a string",
                        hint: "is a quote missing before it?")
                    block.isDamaged = true
                    skipUnknown()
                } else {
                    reportUnknown(name, at: token.position, in: table)
                    block.isDamaged = true
                    skipUnknown()
                }
            }
        }
    }

    private mutating func parse<Scope>(
        _ directive: Directive<Scope>, by table: DirectiveTable<Scope>,
        into block: inout ConfigurationBlock<Scope>
    ) {
        let name = cursor.take()
        let value = cursor.current
        if let first = block.given.updateValue(name.position, forKey: directive.name) {
            block.given[directive.name] = first
            block.isDamaged = true
            report(name.position, "duplicate directive '\(directive.name)'; it was given at \(first)")
            if value.kind.looksLikeValue { cursor.advance() }
            return
        }
        switch value.kind {
        case .leftBrace, .rightBrace, .end:
            block.isDamaged = true
            report(
                value.position, "\(directive.name): expected \(directive.expects), found \(value.kind.noun)")
            if value.kind == .leftBrace { cursor.skipBlock() }
            return
        case .word(let word) where table.contains(word):
            block.isDamaged = true
            report(value.position, "\(directive.name): expected \(directive.expects), found '\(word)'")
            return
        case .word, .string, .number:
            cursor.advance()
        }
        do {
            try directive.read(value.kind, &block.value)
            if directive.isIgnored {
                warn(name.position, "'\(directive.name)' has no effect")
            }
        } catch {
            block.isDamaged = true
            report(value.position, "\(directive.name): \(error.message)", hint: error.hint)
        }
    }

    private mutating func reportUnknown<Scope>(
        _ name: String, at position: ConfigurationPosition, in table: DirectiveTable<Scope>
    ) {
        let place = table.block.isEmpty ? "" : " in '\(table.block)'"
        if table.foreign.contains(name) {
            report(position, "directive '\(name)'\(place) is Odyssey's and not supported")
        } else if let near = nearest(to: name, among: table.words) {
            report(position, "unknown directive '\(name)'\(place)", hint: "did you mean '\(near)'?")
        } else {
            report(position, "unknown directive '\(name)'\(place)", hint: Self.homes(of: name))
        }
    }

    /// Where a directive belongs that stands in the wrong block.
    private static func homes(of name: String) -> String? {
        var homes: [String] = []
        if Settings.directives.contains(name) { homes.append("at the top of the file") }
        if ListenSettings.directives.contains(name) { homes.append("in 'listen'") }
        if StorageSettings.directives.contains(name) { homes.append("in 'storage'") }
        if RouteSettings.directives.contains(name) { homes.append("in 'user'") }
        if name == "user" { homes.append("in 'database'") }
        return homes.isEmpty ? nil : "'\(name)' belongs \(homes.joined(separator: " or "))"
    }

    /// Steps over an unknown word, what looks like its values, and a block behind them.
    mutating func skipUnknown() {
        cursor.advance()
        skipValues()
        if cursor.current.kind == .leftBrace { cursor.skipBlock() }
    }

    mutating func skipValues() {
        while cursor.current.kind.looksLikeValue { cursor.advance() }
    }

    /// Steps over the `{` of a block. When it is not there, says so and steps over nothing.
    mutating func openBlock(_ name: String) -> Bool {
        let token = cursor.current
        guard token.kind == .leftBrace else {
            report(token.position, "expected '{' of '\(name)', found \(token.kind.noun)")
            return false
        }
        cursor.advance()
        return true
    }

    mutating func reportUnclosed(_ name: String, at position: ConfigurationPosition) {
        guard !cursor.endsInsideString else { return }
        report(position, "the block '\(name)' that begins here is never closed")
    }
}
