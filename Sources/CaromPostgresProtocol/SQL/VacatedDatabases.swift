// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The databases that no other session may be in while a text's statements run.
///
/// PostgreSQL refuses them else (55006), after it has waited five seconds for the others to leave (`CountOtherDBBackends`).
package enum VacatedDatabases {
    /// The names, as the server knows them. None where the text cannot be cut into tokens safely.
    package static func names(in text: RawSpan) -> [String] {
        text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return [] }
            var tokens = SQLTokenizer(base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
            var names: [String] = []
            while let statement = tokens.nextStatement() {
                if let name = read(statement, tokens) { names.append(String(decoding: name, as: UTF8.self)) }
            }
            return tokens.isAmbiguous ? [] : names
        }
    }

    private static func read(_ statement: [SQLTokenizer.Token], _ tokens: SQLTokenizer) -> [UInt8]? {
        guard statement.count >= 3, tokens.isKeyword(statement[1], "database") else { return nil }
        let rest = statement.dropFirst(2)
        if tokens.isKeyword(statement[0], "drop") {
            let isConditional = tokens.isKeyword(statement[2], "if")
            return (isConditional ? rest.dropFirst(2) : rest).first.flatMap { tokens.name($0) }
        }
        if tokens.isKeyword(statement[0], "alter") {
            let change = rest.dropFirst()
            let isRenamed = change.first.map { tokens.isKeyword($0, "rename") } == true
            let isMoved =
                change.count > 1 && tokens.isKeyword(change[change.startIndex], "set")
                && tokens.isKeyword(change[change.startIndex + 1], "tablespace")
            return isRenamed || isMoved ? tokens.name(statement[2]) : nil
        }
        if tokens.isKeyword(statement[0], "create") { return template(of: rest.dropFirst(), tokens) }
        return nil
    }

    /// What a new database is a copy of.
    private static func template(
        of options: ArraySlice<SQLTokenizer.Token>, _ tokens: SQLTokenizer
    ) -> [UInt8] {
        let usual = Array("template1".utf8)
        guard let word = options.firstIndex(where: { tokens.isKeyword($0, "template") }) else { return usual }
        var value = options[(word + 1)...]
        if value.first?.kind == .equals { value.removeFirst() }
        guard let name = value.first, !tokens.isKeyword(name, "default") else { return usual }
        return tokens.name(name) ?? tokens.literal(name) ?? usual
    }
}
