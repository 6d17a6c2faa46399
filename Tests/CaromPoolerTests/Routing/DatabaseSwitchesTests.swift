// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPooler

private typealias Refusal = DatabaseSwitches.Refusal

@Suite struct DatabaseSwitchesTests {
    @Test func oneIsPausedAndResumedByItsName() throws {
        var switches = DatabaseSwitches()
        try switches.pause("shop")
        #expect(switches.isPaused("shop") && !switches.isPaused("bank") && !switches.arePaused)
        #expect(throws: Refusal.isNotPaused("bank")) { try switches.resume("bank") }
        #expect(throws: Refusal.notPaused) { try switches.resume(nil) }
        try switches.resume("shop")
        #expect(switches == DatabaseSwitches())
    }

    @Test func whatWasPausedByItsNameStaysSoWhenAllAreResumed() throws {
        var switches = DatabaseSwitches()
        try switches.pauseEach(["shop"])
        try switches.pause(nil)
        #expect(switches.arePaused && switches.isPaused("bank"))
        #expect(throws: Refusal.alreadyPaused) { try switches.pause(nil) }
        #expect(throws: Refusal.alreadyPaused) { try switches.pause("bank") }
        #expect(throws: Refusal.alreadyPaused) { try switches.pauseEach(["bank"]) }
        try switches.resume(nil)
        #expect(switches.isPaused("shop") && !switches.isPaused("bank"))
    }

    @Test func suspendedIsOfEverythingAndEndsWithAResume() throws {
        var switches = DatabaseSwitches()
        try switches.suspend()
        #expect(switches.isSuspended && !switches.arePaused && !switches.isPaused("shop"))
        #expect(throws: Refusal.alreadyPaused) { try switches.suspend() }
        #expect(throws: Refusal.alreadyPaused) { try switches.pause(nil) }
        #expect(throws: Refusal.alreadyPaused) { try switches.pause("shop") }
        #expect(throws: Refusal.alreadyPaused) { try switches.pauseEach(["shop"]) }
        try switches.resume(nil)
        #expect(switches == DatabaseSwitches())
        #expect(throws: Refusal.notPaused) { try switches.resume(nil) }
        try switches.pause(nil)
        #expect(throws: Refusal.alreadyPaused) { try switches.suspend() }
    }

    @Test func disabledIsAnotherThing() {
        var switches = DatabaseSwitches()
        #expect(switches.isEverythingEnabled)
        switches.disable("shop")
        #expect(switches.isDisabled("shop") && !switches.isDisabled("bank") && !switches.isPaused("shop"))
        switches.enable("shop")
        switches.enable("bank")
        #expect(switches.isEverythingEnabled)
    }
}
