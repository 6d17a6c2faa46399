// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW HELP`, or `HELP`: the commands, in a notice and without rows, as PgBouncer and Odyssey answer it.
struct ShowHelp: ConsoleCommand {
    static let name = "SHOW HELP"

    static func parse(_ words: [ConsoleWord]) -> ShowHelp? {
        words.spell("show", "help") || words.spell("help") ? ShowHelp() : nil
    }

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let list = ConsoleCommands.all.map { "\n\t\($0.usage)" }.joined()
        return .done(tag: "SHOW", notice: ConsoleNotice(message: "console usage", detail: list))
    }
}
