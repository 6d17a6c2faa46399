// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Pooler
import Reactor

/// `carom`: the pooler's command line.
@main
struct CaromCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "carom",
        abstract: "A resolver-driven, multi-threaded PostgreSQL connection pooler.",
        version: "carom 0.1.0",
        subcommands: [Serve.self, Check.self, Top.self])

    /// Starts on the main thread, which is the only one then: a signal goes to any thread that does not block it, and
    /// threads inherit what their maker blocks.
    @MainActor
    static func main() async {
        do {
            var command = try parseAsRoot()
            if command is Serve { Signals.block(Pooler.handledSignals) }
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
        } catch {
            exit(withError: error)
        }
    }
}

/// The one argument of the commands that work with a configuration.
struct ConfigurationArgument: ParsableArguments {
    @Argument(
        help: "The configuration file, in Odyssey's grammar (docs/configuration.adoc).", completion: .file())
    var file: String
}
