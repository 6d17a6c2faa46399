// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW VERSION`: one row, `Carom 0.1.0`.
struct ShowVersion: ConsoleCommand {
    static let name = "SHOW VERSION"

    static func parse(_ words: [ConsoleWord]) -> ShowVersion? {
        words.spell("show", "version") ? ShowVersion() : nil
    }

    let columns: [ConsoleColumn]? = [ConsoleColumn("version")]

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table([["Carom \(context.version)"]])
    }
}
