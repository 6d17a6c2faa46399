// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPostgres

/// What an operator's reset takes out of a session, and what is still known of it then.
@Suite struct ResetQueryTests {
    @Test(arguments: [
        ("DISCARD ALL", true, true), ("discard all; select 1", true, true), ("RESET ALL", false, true),
        ("DEALLOCATE ALL", true, false), ("RESET ALL; DEALLOCATE ALL; UNLISTEN *", true, true),
        ("DEALLOCATE a", false, false), ("RESET work_mem", false, false),
        ("SELECT tidy()", false, false),
        ("", false, false),
    ])
    func whatATextTakesOutIsRead(_ text: String, _ endsStatements: Bool, _ resetsSettings: Bool) {
        let query = ResetQuery(text)
        #expect(query.endsStatements == endsStatements, "\(text)")
        #expect(query.resetsSettings == resetsSettings, "\(text)")
    }

    @Test(arguments: ["DISCARD ALL", "RESET ALL", "SELECT tidy()"])
    func settingsThatStayAreKnown(_ text: String) {
        var settings = SettingValues()
        settings.set("work_mem", to: "1MB")
        var state = ServerState()
        state.adopt(by: 7)
        state.apply(settings)
        state.taint(.everything)
        state.requireReset()
        state.didReset(by: ResetQuery(text))
        let (applied, needed, taint) = (state.applied, state.neededReset, state.taint)
        #expect(applied == (text == "SELECT tidy()" ? settings : SettingValues()))
        #expect(needed == .none && taint == .none)
    }
}
