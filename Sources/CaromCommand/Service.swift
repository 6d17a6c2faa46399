// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaromConfiguration
import CaromPooler
import CaromReactor
import Glibc

/// What the commands that run the pooler have in common.
struct ServiceOptions: ParsableArguments {
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

    var settings: CommandLineSettings {
        var settings = CommandLineSettings()
        settings.isQuiet = quiet
        settings.isVerbose = verbose
        settings.isDaemon = daemon
        settings.user = user
        return settings
    }
}

/// A command that runs the pooler.
protocol ServingCommand: AsyncParsableCommand {
    var options: ServiceOptions { get }
    /// A pooler is running, and this one takes over from it.
    var takesOver: Bool { get }
}

extension ServingCommand {
    func run() async throws { try await prepare().run() }

    /// Reads the configuration, asks a running pooler, goes into the background and becomes another user, as far as this is wanted. There
    /// must be no other thread yet.
    func prepare() throws -> Service {
        let loaded = try ConfigurationArgument.loadFile(options.argument.file)
        let settings = loaded.settings.with(options.settings)
        if settings.daemonize {
            guard settings.pidFile != nil else {
                complain("carom: a pooler in the background needs pid_file, by which it is found")
                throw ExitCode(1)
            }
            if settings.logFile == nil, !settings.logSyslog {
                complain("carom: warning: nothing is logged: there is neither log_file nor log_syslog")
            }
        }
        let takeover = try takesOver ? takeOver(settings) : nil
        // In the same directory, so that paths mean what they meant when the file was checked.
        if settings.daemonize, Glibc.daemon(1, 0) != 0 {
            complain("carom: \(SystemError(code: errno, operation: "daemonize"))")
            throw ExitCode(1)
        }
        if let user = settings.processUser {
            do throws(SystemError) { try ProcessUser.become(user) } catch {
                complain("carom: \(error)")
                throw ExitCode(1)
            }
        }
        return Service(
            settings: settings, ini: loaded.ini, file: options.argument.file, options: options.settings,
            takeover: takeover)
    }

    private func takeOver(_ settings: Settings) throws -> Takeover {
        guard let path = settings.upgradeSocket else {
            complain(
                "carom: upgrade_socket is not set: it says where a running pooler is asked to hand over, and must be in the configuration of both"
            )
            throw ExitCode(1)
        }
        do throws(TakeoverError) { return try Takeover(path: path) } catch {
            complain("carom: \(error)")
            throw ExitCode(1)
        }
    }
}

/// The pooler, all but running.
struct Service: Sendable {
    let settings: Settings
    let ini: IniConfiguration?
    let file: String
    let options: CommandLineSettings
    let takeover: Takeover?

    func run() async throws {
        do {
            try DescriptorLimit.raise()
            let processors = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
            let environment: (String) -> String? = { getenv($0).map { String(cString: $0) } }
            let pooler = try Pooler(
                settings, of: ini, file: file, options: options, processors: processors,
                manager: ServiceManager(environment: environment, processID: getpid()),
                inherited: InheritedSockets(environment: environment, processID: getpid()), takeover: takeover
            )
            pooler.reportFaults()
            try await pooler.run()
        } catch {
            complain("carom: \(error)")
            throw ExitCode(1)
        }
    }
}
