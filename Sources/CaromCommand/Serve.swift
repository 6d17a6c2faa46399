// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaromConfiguration
import CaromPooler
import CaromReactor
import Glibc

/// `carom [serve] FILE`: runs the pooler.
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the pooler.",
        discussion: """
            SIGTERM and SIGINT stop it: clients finish their transactions first; a second signal, or SIGQUIT, ends them at \
            once. SIGUSR2 stops it too, however long clients take. SIGHUP reads the configuration again; SIGUSR1 opens the \
            log file again. Under systemd it speaks the protocol of Type=notify-reload, with the watchdog, and takes over \
            the sockets of a socket unit. Exit code 0 after an orderly stop, 1 when it could not start.
            """)

    @OptionGroup var argument: ConfigurationArgument
    @Flag(name: [.short, .long], help: "Log nothing to standard output.")
    var quiet = false
    @Flag(name: [.short, .long], help: "Log what happens inside, as log_debug does.")
    var verbose = false
    @Flag(
        name: [.short, .long], help: "Go into the background once the configuration is read; needs pid_file.")
    var daemon = false
    @Option(name: [.short, .long], help: "The user to become, if started as root.")
    var user: String?
    @Flag(name: [.customShort("R"), .long], help: "Take over from a running pooler; there is no way to yet.")
    var reboot = false

    func run() async throws { try await run(prepare()) }

    private var options: CommandLineSettings {
        var options = CommandLineSettings()
        options.isQuiet = quiet
        options.isVerbose = verbose
        options.isDaemon = daemon
        options.user = user
        return options
    }

    /// Reads the configuration, goes into the background and becomes another user, as far as this is wanted. There must be no other thread
    /// yet.
    func prepare() throws -> Settings {
        if reboot {
            complain(
                "carom: --reboot: there is no way to take over from a running pooler; have it finish with SIGUSR2, and start this one when it has let go of its address"
            )
            throw ExitCode(1)
        }
        let settings = try ConfigurationArgument.load(argument.file).with(options)
        if settings.daemonize {
            guard settings.pidFile != nil else {
                complain("carom: a pooler in the background needs pid_file, by which it is found")
                throw ExitCode(1)
            }
            if settings.logFile == nil, !settings.logSyslog {
                complain("carom: warning: nothing is logged: there is neither log_file nor log_syslog")
            }
            // In the same directory, so that paths mean what they meant when the file was checked.
            guard Glibc.daemon(1, 0) == 0 else {
                complain("carom: \(SystemError(code: errno, operation: "daemonize"))")
                throw ExitCode(1)
            }
        }
        if let user = settings.processUser {
            do throws(SystemError) { try ProcessUser.become(user) } catch {
                complain("carom: \(error)")
                throw ExitCode(1)
            }
        }
        return settings
    }

    func run(_ settings: Settings) async throws {
        do {
            try DescriptorLimit.raise()
            let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            let environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
            let pooler = try Pooler(
                settings, file: argument.file, options: options, processors: processors,
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
