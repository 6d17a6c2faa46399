// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaromConfiguration
import CaromPooler
import CaromReactor
import Glibc

/// `carom`: the pooler's command line.
@main
struct CaromCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "carom",
        abstract: "A resolver-driven, multi-threaded PostgreSQL connection pooler.",
        version: "carom \(CaromVersion.number)",
        subcommands: [Serve.self, Upgrade.self, Check.self, Convert.self, Resolve.self, Top.self],
        defaultSubcommand: Serve.self)

    /// Runs commands beside the main thread, which only waits.
    ///
    /// A signal goes to any thread that does not block it. Threads inherit what their maker blocks, so the main thread blocks
    /// what the pooler handles before there are others; and it stays out of the runtime's main loop, which would unblock it.
    static func main() {
        do {
            var command = try parseAsRoot()
            guard let running = command as? any AsyncParsableCommand else { return try command.run() }
            if let serving = running as? any ServingCommand {
                Signals.block(Pooler.handledSignals)
                Signals.ignore(Pooler.ignoredSignals)
                start(try serving.prepare())
            } else {
                start(running)
            }
            while true { pause() }
        } catch {
            exit(withError: error)
        }
    }

    private static func start(_ command: sending any AsyncParsableCommand) {
        var command = command
        Task {
            do {
                try await command.run()
                leave()
            } catch {
                exit(withError: error)
            }
        }
    }

    private static func start(_ service: Service) {
        Task {
            do {
                try await service.run()
                leave()
            } catch {
                exit(withError: error)
            }
        }
    }

    /// Ends the process as it is, when all is done. The loops' threads may still be ending, and OpenSSL, which puts itself away at `exit`,
    /// puts away what is theirs as well: twice, now and then.
    private static func leave() -> Never {
        fflush(nil)
        _exit(EXIT_SUCCESS)
    }
}

/// The one argument of the commands that work with a configuration.
struct ConfigurationArgument: ParsableArguments {
    @Argument(
        help:
            "The configuration file, in Odyssey's grammar, or PgBouncer's if it ends in .ini (docs/configuration.adoc).",
        completion: .file())
    var file: String
}
