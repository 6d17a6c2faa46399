// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPooler

/// What comes back from the `hba_role_query`.
@Suite struct RoleQueryAnswerTests {
    @Test func everyRowIsARole() {
        #expect(RoleQueryAnswer([["ann"], ["crew"], ["ann"], [nil]]) == .roles(["ann", "crew"]))
        #expect(RoleQueryAnswer([]) == .roles([]))
    }

    @Test(arguments: [[["ann", "crew"]], [[]], [["ann"], ["ann", "crew"]]] as [[[String?]]])
    func aQueryWithOtherColumnsIsWrongItself(_ rows: [[String?]]) {
        guard case .failed(let reason) = RoleQueryAnswer(rows) else {
            Issue.record("it is believed")
            return
        }
        #expect(reason.contains("one column") && !RoleQueryAnswer(rows).isKept)
    }
}
