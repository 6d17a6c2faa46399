// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaromConfiguration
import CaromPooler

/// `carom check FILE`: says whether a configuration can be served.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validate a configuration and exit.",
        discussion:
            "Exit code 0: the configuration is valid. 1: it is not, and standard error says where and why.")

    @OptionGroup var argument: ConfigurationArgument

    func run() throws {
        _ = try ConfigurationArgument.load(argument.file)
        print("\(argument.file): configuration is valid")
    }
}
