// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension ConfigurationParser {
    /// Reads `options { "name" "value" … }`.
    mutating func parseParameters(
        _ word: ConfigurationToken, of block: inout ConfigurationBlock<RouteSettings>,
        into path: WritableKeyPath<RouteSettings, [SessionParameter]>
    ) {
        guard case .word(let section) = word.kind else { return }
        if let first = block.given.updateValue(word.position, forKey: section) {
            report(word.position, "duplicate block '\(section)'; it was given at \(first)")
            block.isDamaged = true
        }
        guard openBlock(section) else {
            block.isDamaged = true
            return
        }
        while true {
            let token = cursor.current
            switch token.kind {
            case .rightBrace:
                return cursor.advance()
            case .end:
                return reportUnclosed(section, at: word.position)
            case .leftBrace:
                report(token.position, "expected a parameter's name in double quotes, found '{'")
                block.isDamaged = true
                cursor.skipBlock()
            case .word, .number:
                report(
                    token.position, "expected a parameter's name in double quotes, found \(token.kind.noun)")
                block.isDamaged = true
                cursor.advance()
            case .string(let name):
                cursor.advance()
                guard case .string(let value) = cursor.current.kind else {
                    report(
                        cursor.current.position,
                        "expected a value in double quotes for parameter \(quoted(name)), found \(cursor.current.kind.noun)"
                    )
                    block.isDamaged = true
                    if case .number = cursor.current.kind { cursor.advance() }
                    continue
                }
                cursor.advance()
                if let problem = Self.problem(with: name, in: section, among: block.value[keyPath: path]) {
                    report(token.position, "\(section): \(problem)")
                    block.isDamaged = true
                } else {
                    block.value[keyPath: path].append(SessionParameter(name: name, value: value))
                }
            }
        }
    }

    /// What speaks against a parameter of this name, if anything does.
    private static func problem(
        with name: String, in section: String, among others: [SessionParameter]
    ) -> String? {
        // PostgreSQL compares the names of its settings without regard to case.
        let plain = name.lowercased()
        if name.isEmpty { return "a parameter needs a name" }
        if others.contains(where: { $0.name.lowercased() == plain }) {
            return "duplicate parameter \(quoted(name))"
        }
        switch plain {
        case "user", "database", "replication":
            return "\(quoted(name)) is not a parameter; storage_user and storage_db say who logs in where"
        case _ where plain.hasPrefix("_pq_."):
            return "\(quoted(name)) belongs to the protocol and cannot be set"
        default:
            return nil
        }
    }
}
