// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `RELOAD`: reads the configuration again. Of several mistakes the first is the answer; all are in the log.
struct ReloadCommand: ConsoleCommand {
    static let name = "RELOAD"

    static func parse(_ words: [ConsoleWord]) -> ReloadCommand? {
        words.spell("reload") ? ReloadCommand() : nil
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.reload) }
}
