// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `SUSPEND`: everybody gets what was sent before, and nothing more is read from clients and servers until `RESUME`.
struct SuspendCommand: ConsoleCommand {
    static let name = "SUSPEND"

    static func parse(_ words: [ConsoleWord]) -> SuspendCommand? {
        words.spell("suspend") ? SuspendCommand() : nil
    }

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.suspend) }
}
