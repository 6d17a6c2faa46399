// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The version and how the program was built. Odyssey's table.
struct ShowVersionExtended: ConsoleCommand {
    static let name = "SHOW VERSION_EXTENDED"

    static func parse(_ words: [ConsoleWord]) -> ShowVersionExtended? {
        words.spell("show", "version_extended") ? ShowVersionExtended() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["version", "build_type", "compiler", "compiler_version", "arch"]))

    func run(_ context: ConsoleContext) -> ConsoleResult {
        .table([
            [
                "Carom \(context.version)", BuildFacts.type, BuildFacts.compiler,
                BuildFacts.compilerVersion, BuildFacts.architecture,
            ]
        ])
    }
}
