// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How often what went wrong for clients in the last five minutes; Odyssey's table.
struct ShowErrors: ConsoleCommand {
    static let name = "SHOW ERRORS"

    static func parse(_ words: [ConsoleWord]) -> ShowErrors? {
        words.spell("show", "errors") ? ShowErrors() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table((.text, ["error_type"]), (.bigInteger, ["count"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let counts = Dictionary(context.errors.map { ($0.key.error, $0.value) }, uniquingKeysWith: +)
        return .table(SessionError.allCases.map { [$0.rawValue, String(counts[$0] ?? 0)] })
    }
}
