// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension OdysseyParser {
    /// Reads `options { "name" "value" … }`.
    mutating func parseParameters(
        _ word: OdysseyToken, of block: inout ConfigurationBlock<RouteSettings>,
        into path: WritableKeyPath<RouteSettings, [SessionParameter]>
    ) {
        guard case .word(let section) = word.kind else { return }
        if let first = block.note(section, at: word.position) {
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
                block.addParameter(
                    SessionParameter(name: name, value: value), to: path, section: section,
                    at: token.position,
                    findings: &draft.findings)
            }
        }
    }
}
