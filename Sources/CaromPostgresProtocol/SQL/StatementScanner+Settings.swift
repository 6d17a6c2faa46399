// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Statements whose effects take a look ahead. The tokens that are looked at are scanned again.
extension StatementScanner {
    /// After `SET`.
    func effectsOfSet() -> StatementEffects {
        var ahead = tokens
        var name = ahead.next()
        var following = ahead.next()
        // A setting's class may have the name of a keyword: `SET local.x = 1`.
        if following.kind != .dot {
            if tokens.isKeyword(name, "local") { return .setsLocally }
            if isAnyKeyword(name, "transaction", "constraints") { return [] }
            if tokens.isKeyword(name, "session") {
                name = following
                following = ahead.next()
                if following.kind != .dot, tokens.isKeyword(name, "transaction") { return [] }
            }
        }
        let all: StatementEffects = [.settings, .resets]
        let isIdentity = following.kind != .dot && isIdentity(name)
        if following.kind != .dot {
            if tokens.isKeyword(name, "authorization") || tokens.isKeyword(following, "authorization") {
                let value = tokens.isKeyword(name, "authorization") ? following : ahead.next()
                return tokens.isKeyword(value, "default") ? all.union(.resetsRole) : [.settings, .setsRole]
            }
            if tokens.isKeyword(name, "time"), tokens.isKeyword(following, "zone") {
                return isAnyKeyword(ahead.next(), "local", "default") ? all : .settings
            }
            if tokens.isKeyword(name, "names") {
                let isReset = following.kind == .end || following.kind == .semicolon
                return isReset || tokens.isKeyword(following, "default") ? all : .settings
            }
        }
        while following.kind == .dot {
            _ = ahead.next()
            following = ahead.next()
        }
        if following.kind == .equals || tokens.isKeyword(following, "to") { following = ahead.next() }
        if tokens.isKeyword(following, "default") { return isIdentity ? all.union(.resetsRole) : all }
        return isIdentity ? [.settings, .setsRole] : .settings
    }

    /// Whether a name is that of the role or of the session user, whose change takes a role away or back.
    private func isIdentity(_ name: SQLTokenizer.Token) -> Bool {
        guard let name = tokens.name(name) else { return false }
        let lowercased = name.map { 0x41...0x5a ~= $0 ? $0 | 0x20 : $0 }
        return lowercased.elementsEqual("role".utf8) || lowercased.elementsEqual("session_authorization".utf8)
    }

    /// After `RESET`.
    func effectsOfReset() -> StatementEffects {
        var ahead = tokens
        let name = ahead.next()
        if tokens.isKeyword(name, "all") { return [.settings, .resets, .resetsAll] }
        let following = ahead.next()
        let isUser = tokens.isKeyword(name, "session") && tokens.isKeyword(following, "authorization")
        let isRole = isUser || following.kind != .dot && isIdentity(name)
        return isRole ? [.settings, .resets, .resetsRole] : [.settings, .resets]
    }

    /// After `DISCARD`.
    func effectsOfDiscard() -> StatementEffects {
        var ahead = tokens
        guard tokens.isKeyword(ahead.next(), "all") else { return .letsGo }
        return [.settings, .resets, .resetsAll, .resetsRole, .letsGo, .deallocates, .listens]
    }

    /// After `PREPARE`: a statement of the session, or `PREPARE TRANSACTION 'name'`.
    func effectsOfPrepare() -> StatementEffects {
        var ahead = tokens
        let isTransaction = tokens.isKeyword(ahead.next(), "transaction")
        return isTransaction && ahead.next().kind == .string ? [] : .keeps
    }

    /// After `CREATE`: whether an index is made.
    func beginsIndex() -> Bool {
        var ahead = tokens
        let first = ahead.next()
        return tokens.isKeyword(first, "index")
            || tokens.isKeyword(first, "unique") && tokens.isKeyword(ahead.next(), "index")
    }

    /// After `set_config(`, whose third argument may be a literal that says the setting is local.
    func effectsOfSetConfig() -> StatementEffects {
        var ahead = tokens
        let name = ahead.next()
        let comma = ahead.next()
        let value = ahead.next()
        var following = ahead.next()
        let isLiteral =
            tokens.isPlainLiteral(name) && comma.kind == .comma && tokens.isPlainLiteral(value)
            && following.kind == .comma
        var effects: StatementEffects = isLiteral ? .settings : [.settings, .resets]
        if tokens.isLiteral(name, "role") || tokens.isLiteral(name, "session_authorization") {
            effects.insert(tokens.isKeyword(value, "null") ? .resetsRole : .setsRole)
        }

        ahead = tokens
        var depth = 0
        var commas = 0
        while commas < 2 {
            following = ahead.next()
            switch following.kind {
            case .open: depth += 1
            case .close: depth -= 1
            case .comma where depth == 0: commas += 1
            case .end, .semicolon: return effects
            // The elements of ARRAY[a, b] are no arguments.
            case .other where tokens.bytes[following.start] == UInt8(ascii: "["): depth += 1
            case .operand where tokens.bytes[following.start] == UInt8(ascii: "]"): depth -= 1
            default: break
            }
            if depth < 0 { return effects }
        }
        let isLocal = isTrue(ahead.next())
        return isLocal && ahead.next().kind == .close ? .setsLocally : effects
    }

    private func isTrue(_ token: SQLTokenizer.Token) -> Bool {
        if tokens.isKeyword(token, "true") { return true }
        return tokens.isLiteral(token, "t") || tokens.isLiteral(token, "true")
            || tokens.isLiteral(token, "on")
            || tokens.isLiteral(token, "yes") || tokens.isLiteral(token, "y") || tokens.isLiteral(token, "1")
    }
}
