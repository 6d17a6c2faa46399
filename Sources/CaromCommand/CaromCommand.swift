// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// `carom`: the pooler's command line.
@main
struct CaromCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "carom",
        abstract: "A resolver-driven, multi-threaded PostgreSQL connection pooler.",
        version: "carom 0.1.0",
        subcommands: [Serve.self, Check.self, Top.self])
}

/// The one argument of the commands that work with a configuration.
struct ConfigurationArgument: ParsableArguments {
    @Argument(help: "The configuration file, in Odyssey's grammar (docs/configuration.adoc).", completion: .file())
    var file: String
}
