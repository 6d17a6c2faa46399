// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaromConfiguration
import CaromPooler
import CaromReactor
import Glibc

/// `carom serve FILE`: runs the pooler in the foreground.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the pooler in the foreground.",
        discussion: """
            SIGTERM and SIGINT stop it: clients finish their transactions first; a second signal, or SIGQUIT, ends them at \
            once. SIGUSR2 stops it too, however long clients take. SIGHUP reads the configuration again; SIGUSR1 opens the \
            log file again. Under systemd it speaks the protocol of Type=notify-reload, with the watchdog, and takes over \
            the sockets of a socket unit. Exit code 0 after an orderly stop, 1 when it could not start.
            """)

    @OptionGroup var argument: ConfigurationArgument

    func run() async throws {
        let settings = try ConfigurationArgument.load(argument.file)
        do {
            try DescriptorLimit.raise()
            let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            let environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
            let pooler = try Pooler(
                settings, file: argument.file, processors: processors,
                manager: ServiceManager(environment: environment, processID: getpid()),
                inherited: InheritedSockets(environment: environment, processID: getpid()))
            pooler.reportFaults()
            try await pooler.run()
        } catch {
            complain("carom: \(error)")
            throw ExitCode(1)
        }
    }
}
