// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What the command line says beside the file. It holds after a reload, too.
package struct CommandLineSettings: Equatable, Sendable {
    /// `--quiet`: nothing goes to standard output.
    package var isQuiet = false
    /// `--verbose`: as `log_debug`.
    package var isVerbose = false
    /// `--daemon`: as `daemonize`.
    package var isDaemon = false
    /// `--user`: in place of `process_user`.
    package var user: String?

    package init() {}
}

extension Settings {
    /// The same with what the command line says.
    package func with(_ options: CommandLineSettings) -> Settings {
        var settings = self
        settings.daemonize = daemonize || options.isDaemon
        settings.logToStdout = logToStdout && !options.isQuiet && !settings.daemonize
        settings.logDebug = logDebug || options.isVerbose
        settings.processUser = options.user ?? processUser
        return settings
    }
}
