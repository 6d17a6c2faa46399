// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

@Suite struct CommandLineSettingsTests {
    @Test func whatIsNotSaidLeavesTheFileAlone() {
        var settings = Settings()
        (settings.logDebug, settings.logToStdout, settings.processUser) = (true, false, "a")
        #expect(settings.with(CommandLineSettings()) == settings)
        #expect(Settings().with(CommandLineSettings()) == Settings())
    }

    @Test func whatIsSaidWins() {
        var options = CommandLineSettings()
        (options.isQuiet, options.isVerbose, options.user) = (true, true, "b")
        var settings = Settings()
        settings.processUser = "a"
        let told = settings.with(options)
        #expect(!told.logToStdout && told.logDebug && told.processUser == "b" && !told.daemonize)
    }

    @Test func inTheBackgroundThereIsNoStandardOutput() {
        var options = CommandLineSettings()
        options.isDaemon = true
        var settings = Settings()
        settings.daemonize = true
        for told in [Settings().with(options), settings.with(CommandLineSettings())] {
            #expect(told.daemonize && !told.logToStdout)
        }
    }
}
