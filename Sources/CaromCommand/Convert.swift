// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaromConfiguration

/// `carom convert FILE`: says the same in Odyssey's grammar.
struct Convert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print a configuration in Odyssey's grammar, such as one of PgBouncer's.",
        discussion: """
            What is printed has the passwords of the configuration in it: let nobody else read the file it goes to. Warnings go to \
            standard error. Exit code 1: the configuration cannot be used.
            """)

    @OptionGroup var argument: ConfigurationArgument

    func run() throws {
        let settings = try ConfigurationArgument.load(argument.file)
        print(settings.file, terminator: "")
    }
}
