// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Reads statements token by token and collects their effects. It must not outlive the text.
///
/// Statements are known by their first word. Apart from that a few words count in the middle of one (`INTO TEMP`,
/// `WITH HOLD`, `AS EXECUTE`, `PROGRAM`), and every name with a parenthesis after it.
struct StatementScanner {
    var tokens: SQLTokenizer
    var effects: StatementEffects = []
    /// Another statement stands in front of this one.
    private var isBehind = false
    /// What the statement begins with.
    private var lead = SQLWord.Lead.other
    /// Where its first word starts; negative before it.
    private var firstWord = -1
    /// The options of an `EXPLAIN` are open; the statement begins after them.
    private var isInOptions = false
    /// The index that `CREATE INDEX` makes is described here: `ON t (…)` and `USING gist (…)` are no calls.
    private var makesIndex = false
    /// A COMMIT, or a savepoint, stands behind what takes the role back.
    private var keepsRoleReset = (fromRollback: false, fromSavepoint: false)
    /// The part in front of the last dot of the name that was read last.
    private var qualifier = SQLTokenizer.Token(kind: .end, start: 0, end: 0)

    @inline(__always)
    init(_ bytes: UnsafePointer<UInt8>, count: Int) {
        tokens = SQLTokenizer(bytes, count: count)
    }

    mutating func run() -> StatementEffects {
        // A copy that stays in registers.
        var tokens = self.tokens
        var previous = qualifier
        // What stands before the name that `previous` ends, schema and all.
        var before = qualifier
        while true {
            let token = tokens.next()
            switch token.kind {
            case .word:
                let earlier = before
                if previous.kind != .dot {
                    before = previous
                    qualifier.kind = .end
                }
                if firstWord < 0 {
                    self.tokens = tokens
                    begin(token)
                } else if token.length == 4 || token.length == 7 || token.length == 9 {
                    noteWord(token, after: earlier, previous)
                }
            case .quotedName, .escapedName:
                if previous.kind != .dot {
                    before = previous
                    qualifier.kind = .end
                }
                if firstWord < 0 { firstWord = token.start }
                if token.kind == .escapedName { effects.formUnion(.unreadable) }
            case .dot:
                qualifier = previous
                if previous.isName, tokens.hasPrefix(previous, "pg_temp") {
                    noteTemporarySchema(after: before)
                }
            case .open:
                if previous.isName {
                    self.tokens = tokens
                    open(previous, after: before)
                } else if previous.kind == .other, tokens.mayHaveSplitName {
                    effects.insert(.callsUnknown)
                }
            case .close:
                if isInOptions {
                    isInOptions = false
                    firstWord = -1
                }
            case .semicolon:
                isBehind = isBehind || firstWord >= 0
                lead = .other
                firstWord = -1
                isInOptions = false
                makesIndex = false
            case .end:
                if tokens.isAmbiguous {
                    effects.remove(.resetsAll)
                    effects.formUnion(.unreadable)
                }
                return effects
            case .string, .comma, .equals, .cast, .operand, .other:
                if firstWord < 0 { firstWord = token.start }
            }
            previous = token
        }
    }

    // MARK: Words

    private func meaning(_ token: SQLTokenizer.Token) -> SQLWord {
        switch token.kind {
        case .word: SQLWords.all.find(tokens.bytes + token.start, token.length, isQuoted: false)
        case .quotedName: SQLWords.all.find(tokens.bytes + token.start + 1, token.length - 2, isQuoted: true)
        default: SQLWord()
        }
    }

    /// The first word of a statement.
    private mutating func begin(_ token: SQLTokenizer.Token) {
        if lead == .explain, isAnyKeyword(token, "analyze", "analyse", "verbose") { return }
        let word = meaning(token)
        lead = word.lead
        if isBehind, !word.addsNoRows, lead != .copy || RowWriting.copyMay(tokens) {
            effects.insert(.addsRowsBehind)
        }
        // What is explained begins with the next word.
        if lead == .explain { return }
        firstWord = token.start
        switch lead {
        case .other: if effects.contains(.resetsRole) { noteBorder(token) }
        case .explain, .write, .copy, .declare: break
        case .set:
            effects.remove(.resetsAll)
            effects.append(effectsOfSet())
        case .reset:
            let found = effectsOfReset()
            // RESET ALL leaves a role alone that was set in front of it.
            let isFirst = effects.isDisjoint(with: [.settings, .callsUnknown, .runsCode])
            effects.append(found)
            if !isFirst, found.contains(.resetsAll) { effects.remove(.resetsAll) }
        case .discard: effects.append(effectsOfDiscard())
        case .prepare: effects.formUnion(effectsOfPrepare())
        case .listen: effects.formUnion([.keeps, .listens])
        case .unlisten: effects.formUnion([.letsGo, .listens])
        case .create:
            makesIndex = beginsIndex()
            noteDatabase()
        case .alter: noteDatabase()
        case .deallocate: effects.formUnion([.letsGo, .deallocates])
        case .letsGo:
            effects.insert(.letsGo)
            noteDatabase()
            if effects.contains(.resetsRole) { noteBorder(token) }
        case .runs:
            effects.remove(.resetsAll)
            effects.insert(.runsCode)
        case .doBlock:
            effects.remove(.resetsAll)
            effects.formUnion([.runsCode, .settings, .keeps])
        }
    }

    /// What begins or ends a transaction, or a part of one, behind a statement that takes the role back: a `ROLLBACK` undoes that, too.
    private mutating func noteBorder(_ token: SQLTokenizer.Token) {
        if isAnyKeyword(token, "commit", "end") {
            keepsRoleReset.fromRollback = true
        } else if tokens.isKeyword(token, "savepoint") {
            keepsRoleReset.fromSavepoint = true
        } else if isAnyKeyword(token, "rollback", "abort") {
            var ahead = tokens
            var next = ahead.next()
            if isAnyKeyword(next, "work", "transaction") { next = ahead.next() }
            let isKept =
                tokens.isKeyword(next, "to") ? keepsRoleReset.fromSavepoint : keepsRoleReset.fromRollback
            if !isKept { effects.remove(.resetsRole) }
        }
    }

    /// `DATABASE` after `CREATE`, `ALTER` or `DROP`.
    private mutating func noteDatabase() {
        var ahead = tokens
        if tokens.isKeyword(ahead.next(), "database") { effects.insert(.vacatesDatabase) }
    }

    /// A later word, of a length that one of these has.
    private mutating func noteWord(
        _ token: SQLTokenizer.Token, after earlier: SQLTokenizer.Token, _ previous: SQLTokenizer.Token
    ) {
        switch tokens.bytes[token.start] | 0x20 {
        case UInt8(ascii: "t") where isAnyKeyword(token, "temp", "temporary"):
            let isGlobal = isAnyKeyword(previous, "local", "global")
            let opening = isGlobal ? earlier : previous
            let isCreated = lead == .create && isAnyKeyword(opening, "create", "replace")
            let isSelected = lead != .write && tokens.isKeyword(opening, "into")
            if isCreated || isSelected { effects.insert(.keeps) }
        case UInt8(ascii: "h") where lead == .declare && tokens.isKeyword(token, "hold"):
            if tokens.isKeyword(previous, "with") { effects.insert(.keeps) }
        case UInt8(ascii: "e") where lead == .create && tokens.isKeyword(token, "execute"):
            // CREATE TABLE … AS EXECUTE; a trigger's EXECUTE FUNCTION runs nothing now.
            if tokens.isKeyword(previous, "as") { effects.insert(.runsCode) }
        case UInt8(ascii: "p") where lead == .copy && tokens.isKeyword(token, "program"):
            effects.insert(.runsCode)
        default: break
        }
    }

    /// `pg_temp.` in what creates something, or after `INTO`.
    private mutating func noteTemporarySchema(after before: SQLTokenizer.Token) {
        let isTarget = isAnyKeyword(before, "into", "table", "unlogged")
        if lead == .create || (lead != .write && isTarget) { effects.insert(.keeps) }
    }

    func isAnyKeyword(
        _ token: SQLTokenizer.Token, _ one: StaticString, _ two: StaticString, _ three: StaticString = ""
    ) -> Bool {
        tokens.isKeyword(token, one) || tokens.isKeyword(token, two) || tokens.isKeyword(token, three)
    }

    // MARK: Calls

    /// A parenthesis after `name`, which stands after `before`.
    private mutating func open(_ name: SQLTokenizer.Token, after before: SQLTokenizer.Token) {
        if lead == .explain, firstWord < 0, tokens.isKeyword(name, "explain") {
            isInOptions = true
            firstWord = name.start
            return
        }
        // No expression begins a statement.
        if name.start == firstWord { return }
        if tokens.mayHaveSplitName { effects.insert(.callsUnknown) }
        let word = meaning(name)
        guard isBuiltIn(qualifier) else { return call(unknown: name, after: before) }
        switch word.call {
        case .harmless: break
        case .reserved: if name.kind == .quotedName { call(unknown: name, after: before) }
        case .infix: if name.kind == .quotedName || !isOperand(before) { call(unknown: name, after: before) }
        case .unknown: call(unknown: name, after: before)
        case .setsConfiguration:
            let found = effectsOfSetConfig()
            if !found.isEmpty, found != .setsLocally { effects.remove(.resetsAll) }
            effects.append(found)
        case .advancesSequence: effects.insert(.advancesSequences)
        case .readsSequence: effects.insert(.readsSequences)
        case .keepsLock: effects.insert(.keeps)
        case .letsGoOfLock: effects.insert(.letsGo)
        }
    }

    /// Whether a name with this qualifier is looked up in PostgreSQL's own schemas first.
    private func isBuiltIn(_ qualifier: SQLTokenizer.Token) -> Bool {
        switch qualifier.kind {
        case .word:
            tokens.isKeyword(qualifier, "pg_catalog") || tokens.isKeyword(qualifier, "information_schema")
        case .quotedName:
            qualifier.length == 12 && tokens.hasPrefix(qualifier, "pg_catalog")
                || qualifier.length == 20 && tokens.hasPrefix(qualifier, "information_schema")
        case .escapedName: false
        default: true
        }
    }

    private mutating func call(unknown name: SQLTokenizer.Token, after before: SQLTokenizer.Token) {
        if before.kind == .cast || before.kind == .word && meaning(before).introducesName { return }
        if makesIndex, isAnyKeyword(before, "on", "using") { return }
        if isPaired(name, with: before) { return }
        effects.insert(.callsUnknown)
    }

    /// Whether the name is a keyword that belongs to the word before it: `GROUP BY (`, `PRIMARY KEY (`.
    private func isPaired(_ name: SQLTokenizer.Token, with before: SQLTokenizer.Token) -> Bool {
        guard name.kind == .word, before.kind == .word else { return false }
        if tokens.isKeyword(name, "by") { return isAnyKeyword(before, "group", "order", "partition") }
        if tokens.isKeyword(name, "key") { return isAnyKeyword(before, "primary", "foreign") }
        if tokens.isKeyword(name, "sets") { return tokens.isKeyword(before, "grouping") }
        return tokens.isKeyword(name, "conflict") && lead == .write && tokens.isKeyword(before, "on")
    }

    /// Whether an operand ends here, so that a name after it is an operator, a clause or an alias.
    private func isOperand(_ before: SQLTokenizer.Token) -> Bool {
        switch before.kind {
        case .close, .string, .operand, .quotedName, .escapedName: true
        case .word: meaning(before).call != .reserved
        default: false
        }
    }
}
