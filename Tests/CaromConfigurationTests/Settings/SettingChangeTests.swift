// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

private typealias Refusal = SettingChange.Refusal

@Suite struct SettingChangeTests {
    @Test func oneSettingIsAnotherAndTheRestIsAsBefore() throws {
        var expected = Settings()
        expected.clientMax = 7
        #expect(try SettingChange("client_max", to: .number("7")).applied(to: Settings()) == expected)
        expected.clientMax = nil
        expected.statsUsers = ["ada", "bob"]
        let users = SettingChange("stats_users", to: .string("ada, bob"))
        #expect(try users.applied(to: Settings()) == expected)
    }

    @Test(arguments: ["workers", "readahead", "stats_listen", "unix_socket_dir", "unix_socket_mode"])
    func whatIsThereFromTheStartCannotBeChanged(_ name: String) {
        #expect(throws: Refusal.fixed) { try SettingChange(name, to: .number("4")).applied(to: Settings()) }
    }

    @Test(arguments: ["nothing", "listen", "pipeline", "pool_size", ""])
    func whatIsNoSettingIsUnknown(_ name: String) {
        #expect(throws: Refusal.unknown) { try SettingChange(name, to: .number("4")).applied(to: Settings()) }
    }

    @Test func aValueThatIsNoneIsToldWithTheReason() throws {
        let wrong = SettingChange("client_max", to: .string("many"))
        #expect(throws: Refusal.self) { try wrong.applied(to: Settings()) }
        do {
            _ = try wrong.applied(to: Settings())
        } catch {
            guard case .invalid(let reason) = error else { throw error }
            #expect(reason.contains("a string"))
        }
    }
}
