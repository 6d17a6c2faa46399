// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension OdysseyParser {
    /// Reads a whole file into the top block, and into the lists of the other blocks.
    mutating func parseFile(into top: inout ConfigurationBlock<Settings>) {
        parseStatements(
            of: &top, isTop: true,
            sections: [
                "include": { parser, word, top in parser.parseInclude(word, into: &top) },
                "listen": { parser, word, _ in parser.parseListen(word) },
                "resolver": { parser, word, _ in
                    parser.parseNamed("resolver", at: word, ResolverSettings.init(name:), into: \.resolvers)
                },
                "storage": { parser, word, _ in
                    parser.parseNamed(
                        "storage", at: word, StorageSettings.init(name:), into: \.storages,
                        sections: [
                            "watchdog": { parser, word, block in parser.parseWatchdog(word, of: &block) }
                        ])
                },
                "shared_pool": { parser, word, _ in
                    parser.parseNamed(
                        "shared_pool", at: word, SharedPoolSettings.init(name:), into: \.sharedPools)
                },
                "peer": { parser, word, _ in
                    parser.parseNamed("peer", at: word, PeerSettings.init(name:), into: \.peers)
                },
                "ldap_endpoint": { parser, word, _ in
                    parser.parseNamed(
                        "ldap_endpoint", at: word, LDAPEndpointSettings.init(name:), into: \.ldapEndpoints)
                },
                "database": { parser, word, _ in parser.parseDatabase(word) },
            ])
    }

    /// How deep files may include files.
    static let deepestInclude = 16

    private mutating func parseInclude(
        _ word: OdysseyToken, into top: inout ConfigurationBlock<Settings>
    ) {
        let name: String
        do {
            name = try cursor.current.text("a path in double quotes")
            cursor.advance()
        } catch {
            top.isDamaged = true
            report(cursor.current.position, "include: \(error.message)", hint: error.hint)
            if case .word(let word) = cursor.current.kind, Settings.directives.contains(word) { return }
            return skipMisplaced()
        }
        let path = name.hasPrefix("/") ? name : directory(of: cursor.file) + name
        let canonical = shortestPath(path)
        let reason: String
        if openFiles.contains(canonical) {
            reason = "includes itself: \((openFiles + [canonical]).joined(separator: " → "))"
        } else if openFiles.count > Self.deepestInclude {
            reason = "is more than \(Self.deepestInclude) includes deep"
        } else {
            switch source.read(path) {
            case .success(let bytes):
                return parseIncluded(bytes, path: path, canonical: canonical, into: &top)
            case .failure(let failure):
                reason = "cannot be read: \(failure.reason)"
            }
        }
        top.isDamaged = true
        report(word.position, "include: \(quoted(path)) \(reason)")
    }

    private mutating func parseIncluded(
        _ bytes: [UInt8], path: String, canonical: String, into top: inout ConfigurationBlock<Settings>
    ) {
        let output = OdysseyLexer.tokens(of: bytes, file: path)
        draft.findings.append(output.diagnostics)
        let outer = cursor
        cursor = OdysseyCursor(output, file: path)
        openFiles.append(canonical)
        if !draft.files.contains(path) { draft.files.append(path) }
        parseFile(into: &top)
        openFiles.removeLast()
        cursor = outer
    }

    private mutating func parseListen(_ word: OdysseyToken) {
        guard openBlock("listen") else { return }
        var block = ConfigurationBlock(ListenSettings(), at: word.position)
        parseStatements(of: &block, sections: [:])
        draft.listeners.append(block)
    }

    /// Reads a block that has a name.
    private mutating func parseNamed<Scope: ConfigurationScope>(
        _ kind: String, at word: OdysseyToken, _ make: (String) -> Scope,
        into blocks: WritableKeyPath<ConfigurationDraft, [ConfigurationBlock<Scope>]>,
        sections: [String: Section<Scope>] = [:]
    ) {
        let name = parseText(kind)
        guard openBlock(kind) else { return }
        var block = ConfigurationBlock(make(name ?? ""), at: word.position)
        block.isDamaged = name == nil
        parseStatements(of: &block, sections: sections)
        draft[keyPath: blocks].append(block)
    }

    private mutating func parseWatchdog(
        _ word: OdysseyToken, of storage: inout ConfigurationBlock<StorageSettings>
    ) {
        if let first = storage.note("watchdog", at: word.position) {
            report(word.position, "duplicate block 'watchdog'; it was given at \(first)")
            storage.isDamaged = true
        }
        guard openBlock("watchdog") else {
            storage.isDamaged = true
            return
        }
        var block = ConfigurationBlock(WatchdogSettings(), at: word.position)
        parseStatements(of: &block, sections: [:])
        for name in ["storage_db", "storage_user"] where block.given[name] == nil && !block.isDamaged {
            report(word.position, "watchdog needs '\(name)'")
        }
        storage.isDamaged = storage.isDamaged || block.isDamaged
        storage.value.watchdog = block.value
    }

    /// The string behind the name of a block; `nil`, with a diagnostic, when there is none.
    private mutating func parseText(_ block: String) -> String? {
        let token = cursor.current
        do {
            let text = try token.text("a string in double quotes")
            cursor.advance()
            return text
        } catch {
            report(token.position, "\(block): \(error.message)", hint: error.hint)
            skipMisplaced()
            return nil
        }
    }

    /// Steps over a word or value where a string should be: it is the string without its quotes.
    private mutating func skipMisplaced() {
        switch cursor.current.kind {
        case .word, .string, .number: cursor.advance()
        case .leftBrace, .rightBrace, .end: break
        }
    }

    /// The name behind `database` or `user`: a string, or the word `default`.
    private mutating func parseName(_ block: String) -> RouteName? {
        if cursor.current.kind == .word("default") {
            cursor.advance()
            return .anything
        }
        return parseText(block).map(RouteName.exact)
    }

    private mutating func parseDatabase(_ word: OdysseyToken) {
        let name = parseName("database")
        guard openBlock("database") else { return }
        var block = ConfigurationBlock(DatabaseScope(name: name), at: word.position)
        let first = draft.routes.count
        parseStatements(
            of: &block,
            sections: ["user": { parser, word, database in parser.parseUser(word, database: &database) }])
        // What the block says holds for users above it, too.
        for route in first..<draft.routes.count { draft.routes[route].value.database = block.value.settings }
        if block.given["user"] == nil, !block.isDamaged {
            warn(word.position, "the database has no user, so it has no route")
        }
    }

    private mutating func parseUser(
        _ word: OdysseyToken, database: inout ConfigurationBlock<DatabaseScope>
    ) {
        _ = database.note("user", at: word.position)
        let name = parseName("user")
        let extra = cursor.current
        switch extra.kind {
        case .string, .number, .word:
            report(
                extra.position, "an address or a connection type behind a user is Odyssey's and not supported"
            )
            while cursor.current.kind != .leftBrace, cursor.current.kind != .rightBrace,
                cursor.current.kind != .end
            {
                cursor.advance()
            }
        case .leftBrace, .rightBrace, .end: break
        }
        guard openBlock("user") else { return }
        let pattern = RoutePattern(database: database.value.name ?? .anything, user: name ?? .anything)
        var block = ConfigurationBlock(RouteSettings(pattern: pattern), at: word.position)
        parseStatements(
            of: &block,
            sections: [
                "options": { $0.parseParameters($1, of: &$2, into: \.options) },
                "backend_startup_options": { $0.parseParameters($1, of: &$2, into: \.backendStartupOptions) },
            ])
        // Without its names the route serves no client; its own mistakes are reported all the same.
        if database.value.name != nil, name != nil { draft.routes.append(block) }
    }
}
