// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Every command there is.
enum ConsoleCommands {
    /// In the order in which `SHOW HELP` lists them.
    static let all: [any ConsoleCommand.Type] = [
        Disable.self, Drain.self, Enable.self, Kill.self, KillClient.self, PauseCommand.self,
        Reconnect.self, ReloadCommand.self, Resume.self, SetCommand.self, ShowActiveSockets.self,
        ShowBackends.self, ShowChannels.self, ShowClients.self, ShowConfig.self, ShowDatabases.self,
        ShowDNSHosts.self, ShowDNSZones.self, ShowErrors.self, ShowErrorsPerRoute.self, ShowFDs.self,
        ShowHelp.self,
        ShowLimits.self, ShowListen.self, ShowLists.self, ShowMem.self, ShowPeerPools.self, ShowPeers.self,
        ShowPools.self, ShowPoolsExtended.self, ShowPreparedStatements.self, ShowResolvers.self,
        ShowRoutes.self, ShowRules.self, ShowServers.self, ShowSockets.self, ShowState.self, ShowStats.self,
        ShowStatsAverages.self, ShowStatsTotals.self, ShowStorages.self, ShowTotals.self, ShowUsers.self,
        ShowVersion.self, ShowVersionExtended.self, ShowWaiters.self, Shutdown.self, SuspendCommand.self,
        Undrain.self, WaitClose.self,
    ]

    /// The command these words are.
    ///
    /// - Throws: 42601 with the list of commands when there is none of this name, 42501 when it is not for this role.
    private static func parse(_ words: [ConsoleWord], _ role: ConsoleRole) throws(ConsoleError)
        -> any ConsoleCommand
    {
        for type in all {
            guard let command = try type.parse(words) else { continue }
            if role.mayRun(type) { return command }
            throw ConsoleError(
                .insufficientPrivilege, "admin access needed",
                hint: "\(type.name) is for admin_users that have proved who they are")
        }
        let given = words.prefix(3).map(\.text).joined(separator: " ")
        throw ConsoleError(
            .syntaxError, "unknown console command \"\(given)\"",
            hint: "the commands are: \(all.map { $0.usage }.joined(separator: ", "))")
    }

    /// The commands of a query's text.
    ///
    /// - Throws: what is wrong with the first that is none, or that there are more than `limit`.
    static func commands(in text: [UInt8], limit: Int, _ role: ConsoleRole) throws(ConsoleError)
        -> [any ConsoleCommand]
    {
        guard let text = String(validating: text, as: UTF8.self) else {
            throw ConsoleError(.characterNotInRepertoire, "the query is not valid UTF-8")
        }
        let statements = try ConsoleWords.statements(in: text)
        guard statements.count <= limit else {
            throw limit == 1
                ? ConsoleError(.syntaxError, "cannot insert multiple commands into a prepared statement")
                : ConsoleError(.programLimitExceeded, "more than \(limit) commands in one query")
        }
        var commands: [any ConsoleCommand] = []
        for words in statements { commands.append(try parse(words, role)) }
        return commands
    }
}
