// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Reads Odyssey's grammar into a draft. It goes on after every mistake, so that all of them are found in one run.
struct OdysseyParser {
    let source: ConfigurationSource
    var cursor: OdysseyCursor
    var draft: ConfigurationDraft
    /// The chain of includes that leads to the file being read, as paths in their shortest form.
    var openFiles: [String]

    /// What handles a word that begins a block; the word itself is stepped over.
    typealias Section<Scope> = (
        inout OdysseyParser, OdysseyToken, inout ConfigurationBlock<Scope>
    ) -> Void

    /// Reads a file and what it includes.
    static func draft(text: [UInt8], file: String, source: ConfigurationSource) -> ConfigurationDraft {
        var parser = OdysseyParser(text: text, file: file, source: source)
        var top = parser.draft.top
        parser.parseFile(into: &top)
        parser.draft.top = top
        return parser.draft
    }

    private init(text: [UInt8], file: String, source: ConfigurationSource) {
        self.source = source
        let output = OdysseyLexer.tokens(of: text, file: file)
        cursor = OdysseyCursor(output, file: file)
        draft = ConfigurationDraft(file: file)
        draft.findings.append(output.diagnostics)
        openFiles = [shortestPath(file)]
    }

    mutating func report(_ position: ConfigurationPosition, _ message: String, hint: String? = nil) {
        // What a string without end has swallowed is not missing.
        if cursor.endsInsideString, cursor.current.kind == .end, cursor.current.position == position {
            return
        }
        draft.findings.report(position, message, hint: hint)
    }

    mutating func warn(_ position: ConfigurationPosition, _ message: String) {
        draft.findings.warn(position, message)
    }

    /// Reads statements up to the `}` of the block, or at the top up to the end of the file.
    mutating func parseStatements<Scope: ConfigurationScope>(
        of block: inout ConfigurationBlock<Scope>, isTop: Bool = false, sections: [String: Section<Scope>]
    ) {
        let table = Scope.directives
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
                    parse(directive, into: &block)
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

    private mutating func parse<Scope: ConfigurationScope>(
        _ directive: Directive<Scope>, into block: inout ConfigurationBlock<Scope>
    ) {
        let name = cursor.take()
        let token = cursor.current
        let isDuplicate = block.given[directive.key] != nil
        if isDuplicate ? token.kind.looksLikeValue : !isStatement(token, of: Scope.directives),
            let value = token.value
        {
            cursor.advance()
            _ = block.set(directive.name, to: value, at: name.position, findings: &draft.findings)
            return
        }
        if isDuplicate, let first = block.note(directive.key, at: name.position) {
            report(name.position, "duplicate directive '\(directive.name)'; it was given at \(first)")
        } else {
            _ = block.note(directive.key, at: name.position)
            report(
                token.position, "\(directive.name): expected \(directive.expects), found \(token.kind.noun)")
            if token.kind == .leftBrace { cursor.skipBlock() }
        }
        block.isDamaged = true
    }

    /// Whether the token begins the next statement instead of being a value.
    private func isStatement<Scope>(_ token: OdysseyToken, of table: DirectiveTable<Scope>) -> Bool {
        if case .word(let word) = token.kind { table.contains(word) } else { false }
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
        if ResolverSettings.directives.contains(name) { homes.append("in 'resolver'") }
        if StorageSettings.directives.contains(name) { homes.append("in 'storage'") }
        if WatchdogSettings.directives[name].map({ !$0.isIgnored }) == true {
            homes.append("in 'watchdog'")
        }
        if LDAPEndpointSettings.directives[name].map({ !$0.isIgnored }) == true {
            homes.append("in 'ldap_endpoint'")
        }
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
