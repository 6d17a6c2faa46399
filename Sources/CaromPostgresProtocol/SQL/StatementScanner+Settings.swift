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
            if isAnyKeyword(name, "local", "transaction", "constraints") { return [] }
            if tokens.isKeyword(name, "session") {
                name = following
                following = ahead.next()
                if following.kind != .dot, tokens.isKeyword(name, "transaction") { return [] }
            }
        }
        let all: StatementEffects = [.settings, .resets]
        if following.kind != .dot {
            // Another session user takes the role back.
            if tokens.isKeyword(name, "authorization") || tokens.isKeyword(following, "authorization") {
                return all
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
        if tokens.isKeyword(following, "default") || tokens.isKeyword(name, "session_authorization") {
            return all
        }
        return .settings
    }

    /// After `RESET`.
    func effectsOfReset() -> StatementEffects {
        var ahead = tokens
        return tokens.isKeyword(ahead.next(), "all")
            ? [.settings, .resets, .resetsAll] : [.settings, .resets]
    }

    /// After `DISCARD`.
    func effectsOfDiscard() -> StatementEffects {
        var ahead = tokens
        guard tokens.isKeyword(ahead.next(), "all") else { return .letsGo }
        return [.settings, .resets, .resetsAll, .letsGo, .deallocates]
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

    /// After `set_config(`: none if the third of three arguments is a literal that says the setting is local.
    func effectsOfSetConfig() -> StatementEffects {
        var ahead = tokens
        let name = ahead.next()
        let comma = ahead.next()
        let value = ahead.next()
        var following = ahead.next()
        let isLiteral =
            tokens.isPlainLiteral(name) && comma.kind == .comma && tokens.isPlainLiteral(value)
            && following.kind == .comma
        let resets =
            !isLiteral || tokens.isLiteral(name, "role") || tokens.isLiteral(name, "session_authorization")
        let effects: StatementEffects = resets ? [.settings, .resets] : .settings

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
        return isLocal && ahead.next().kind == .close ? [] : effects
    }

    private func isTrue(_ token: SQLTokenizer.Token) -> Bool {
        if tokens.isKeyword(token, "true") { return true }
        return tokens.isLiteral(token, "t") || tokens.isLiteral(token, "true")
            || tokens.isLiteral(token, "on")
            || tokens.isLiteral(token, "yes") || tokens.isLiteral(token, "y") || tokens.isLiteral(token, "1")
    }
}
