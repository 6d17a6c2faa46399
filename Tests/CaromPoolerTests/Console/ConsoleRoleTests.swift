// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import Testing

@testable import CaromPooler

@Suite struct ConsoleRoleTests {
    private static var settings: Settings {
        var settings = Settings()
        settings.adminUsers = ["ada", "both"]
        settings.statsUsers = ["bob", "both"]
        return settings
    }

    @Test(arguments: [ConsoleRole.Proof.none, .authenticated, .owner])
    func whoIsNotNamedMayNotComeIn(_ proof: ConsoleRole.Proof) {
        #expect(ConsoleRole(of: "eve", proof, Self.settings) == nil)
        #expect(ConsoleRole(of: "Ada", proof, Self.settings) == nil)
        #expect(ConsoleRole(of: "ada", proof, Settings()) == nil)
    }

    @Test func onlyWhoHasProvedItIsAnAdmin() {
        for user in ["ada", "both"] {
            #expect(ConsoleRole(of: user, .authenticated, Self.settings) == .admin)
            #expect(ConsoleRole(of: user, .owner, Self.settings) == .admin)
            #expect(ConsoleRole(of: user, .none, Self.settings) == .stats)
        }
        #expect(ConsoleRole(of: "bob", .owner, Self.settings) == .stats)
    }

    @Test func tablesAreForEverybodyAndNothingElseIs() {
        let allowed = ConsoleCommands.all.filter { ConsoleRole.stats.mayRun($0) }.map { $0.name }
        #expect(allowed.allSatisfy { $0.hasPrefix("SHOW ") } && !allowed.contains("SHOW FDS"))
        let tables = ConsoleCommands.all.filter { $0.name.hasPrefix("SHOW ") }
        #expect(allowed.count == tables.count - 1 && allowed.contains("SHOW HELP"))
        #expect(ConsoleCommands.all.allSatisfy { ConsoleRole.admin.mayRun($0) })
    }

    @Test(arguments: ["RELOAD", "SHUTDOWN", "PAUSE", "KILL shop", "KILL_CLIENT 1", "show fds"])
    func statsUsersAreTold(_ text: String) {
        var conversation = ConsoleConversation(Sample.console(), as: .stats)
        conversation.send(ClientMessage.query(text) + ClientMessage.parse(text) + ClientMessage.sync)
        let refused = conversation.lines.filter { $0.hasPrefix("E ERROR 42501: admin access needed") }
        #expect(refused.count == 2 && conversation.job == nil)
        conversation.send(ClientMessage.query("SHOW VERSION"))
        #expect(conversation.lines.contains("D Carom 9.8.7"))
    }

    @Test func oneThatIsNotAllowedLetsNoneOfTheQueryHappen() {
        var conversation = ConsoleConversation(Sample.console(), as: .stats)
        conversation.send(ClientMessage.query("SHOW VERSION; RELOAD"))
        #expect(conversation.lines.count == 2 && conversation.job == nil)
    }
}
