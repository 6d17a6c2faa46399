// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import CaromPooler

private func values(_ values: [String: String]) -> SettingValues {
    SettingValues(values.map { StartupParameter($0.key, $0.value) })
}

private func at(_ milliseconds: UInt64) -> Deadline {
    Deadline(nanoseconds: (1_000 + milliseconds) * 1_000_000)
}

private let defaults = values(["TimeZone": "UTC", "application_name": "", "DateStyle": "ISO, MDY"])

/// What clients are told of their settings before a server serves them.
@Suite struct AcceptedParametersTests {
    /// A server has reported its defaults to a client without wishes, at 0 ms.
    private static func known() -> AcceptedParameters {
        let accepted = AcceptedParameters()
        _ = accepted.record(SettingValues(), reported: defaults, initial: defaults, at: at(0))
        return accepted
    }

    @Test func nothingIsKnownBeforeAServerWasAsked() {
        let accepted = AcceptedParameters()
        #expect(!accepted.isKnown && !accepted.isFresh(at: at(0)))
        #expect(accepted.entry(for: SettingValues(), at: at(0)) == nil)
        #expect(accepted.unconfirmed(values(["TimeZone": "utc"])).told.isEmpty)
    }

    @Test func anAnswerIsGoodForHalfASecond() {
        let accepted = Self.known()
        #expect(accepted.isKnown)
        #expect(
            accepted.isFresh(at: at(0)) && accepted.isFresh(at: at(499)) && !accepted.isFresh(at: at(500)))
        #expect(accepted.entry(for: SettingValues(), at: at(499))?.told == defaults)
        #expect(accepted.entry(for: SettingValues(), at: at(500)) == nil)
        _ = accepted.record(SettingValues(), reported: defaults, initial: defaults, at: at(600))
        #expect(accepted.entry(for: SettingValues(), at: at(1_000))?.told == defaults)
    }

    @Test func whatAServerSaysByItselfEndsThat() {
        let accepted = Self.known()
        accepted.expire()
        #expect(!accepted.isFresh(at: at(1)) && accepted.entry(for: SettingValues(), at: at(1)) == nil)
        #expect(accepted.isKnown)
    }

    @Test func onlySettingsThatAServerAcceptedAreKnown() {
        let accepted = Self.known()
        let wanted = values(["timezone": "utc"])
        #expect(accepted.entry(for: wanted, at: at(1)) == nil)
        let entry = accepted.record(wanted, reported: defaults, initial: defaults, at: at(1))
        #expect(entry.wishes == wanted && entry.told["TimeZone"] == "UTC", "as the server spells it")
        #expect(accepted.entry(for: wanted, at: at(2)) === entry)
        #expect(accepted.entry(for: values(["timezone": "UTC"]), at: at(2)) == nil)
        #expect(accepted.entry(for: values(["timezone": "utc", "DateStyle": "German"]), at: at(2)) == nil)
    }

    @Test func anyPlainNameOfTheProgramIsAccepted() {
        let accepted = Self.known()
        for name in ["", "psql", "it's \\", String(repeating: "x", count: 63)] {
            let entry = accepted.entry(for: values(["application_name": name]), at: at(1))
            #expect(entry?.told["application_name"] == name)
            #expect(entry?.told["TimeZone"] == "UTC")
        }
        // PostgreSQL changes these: only a server tells how.
        for name in [String(repeating: "x", count: 64), "\u{e9}", "a\n", "\u{7f}"] {
            #expect(accepted.entry(for: values(["application_name": name]), at: at(1)) == nil)
        }
    }

    @Test func aNameThatTheServerChangedIsToldAsTheServerSaysIt() {
        let accepted = Self.known()
        let wanted = values(["application_name": "\u{e9}"])
        var reported = defaults
        reported.set("application_name", to: "??")
        _ = accepted.record(wanted, reported: reported, initial: defaults, at: at(1))
        #expect(accepted.entry(for: wanted, at: at(2))?.told["application_name"] == "??")
        #expect(accepted.entry(for: SettingValues(), at: at(2))?.told["application_name"] == "")
    }

    @Test func theNameOfOneProgramIsNotToldToAnother() {
        let accepted = Self.known()
        var reported = defaults
        reported.set("application_name", to: "psql")
        _ = accepted.record(
            values(["application_name": "psql"]), reported: reported, initial: defaults, at: at(1))
        #expect(accepted.entry(for: SettingValues(), at: at(2))?.told["application_name"] == "")
        #expect(
            accepted.entry(for: values(["application_name": "other"]), at: at(2))?.told["application_name"]
                == "other")
    }

    @Test func theFirstClientsWishesAreNoDefaults() {
        let accepted = AcceptedParameters()
        let wanted = values(["application_name": "psql", "TimeZone": "Asia/Tokyo"])
        var reported = defaults
        for setting in wanted.all { reported.set(setting.name, to: setting.value) }
        _ = accepted.record(wanted, reported: reported, initial: defaults, at: at(0))
        #expect(accepted.unconfirmed(SettingValues()).told == defaults)
    }

    @Test func whenDefaultsChangeAllMustBeAskedAgain() {
        let accepted = Self.known()
        let wanted = values(["DateStyle": "German"])
        var reported = defaults
        reported.set("DateStyle", to: "German, DMY")
        _ = accepted.record(wanted, reported: reported, initial: defaults, at: at(1))
        let before = accepted.generation
        #expect(accepted.entry(for: wanted, at: at(2)) != nil, "a wish changes no default")
        // A reload.
        var changed = defaults
        changed.set("TimeZone", to: "Asia/Tokyo")
        _ = accepted.record(SettingValues(), reported: changed, initial: changed, at: at(3))
        #expect(accepted.generation == before + 1)
        #expect(accepted.entry(for: wanted, at: at(4)) == nil)
        #expect(accepted.entry(for: SettingValues(), at: at(4))?.told["TimeZone"] == "Asia/Tokyo")
        _ = accepted.record(SettingValues(), reported: changed, initial: changed, at: at(5))
        #expect(accepted.generation == before + 1)
    }

    @Test func aNewDefaultIsLearntFromAnyClient() {
        let accepted = Self.known()
        let wanted = values(["DateStyle": "German"])
        var reported = defaults
        reported.set("DateStyle", to: "German, DMY")
        reported.set("TimeZone", to: "Asia/Tokyo")
        // The session is older than the reload: what it reported first is not the default any more.
        _ = accepted.record(wanted, reported: reported, initial: defaults, at: at(1))
        let told = accepted.unconfirmed(SettingValues()).told
        #expect(told["TimeZone"] == "Asia/Tokyo" && told["DateStyle"] == "ISO, MDY")
    }

    @Test func aClientThatCannotWaitIsToldWhatItAskedFor() {
        let accepted = Self.known()
        accepted.expire()
        let told = accepted.unconfirmed(
            values(["timezone": "Asia/Tokyo", "work_mem": "1MB", "application_name": "psql"])
        ).told
        #expect(told["TimeZone"] == "Asia/Tokyo" && told["application_name"] == "psql")
        #expect(told["work_mem"] == nil, "servers do not report it")
        #expect(told["DateStyle"] == "ISO, MDY")
    }

    @Test func aValueThatNoServerHasSpelledIsNotTold() {
        let accepted = Self.known()
        #expect(!AcceptedParameters().canTell(SettingValues()), "nothing is known")
        #expect(accepted.canTell(SettingValues()))
        #expect(accepted.canTell(values(["TimeZone": "UTC", "work_mem": "1MB", "application_name": "psql"])))
        let wanted = values(["timezone": "utc"])
        #expect(!accepted.canTell(wanted) && !accepted.canTell(values(["application_name": "caf\u{e9}"])))
        _ = accepted.record(wanted, reported: defaults, initial: defaults, at: at(1))
        accepted.expire()
        #expect(accepted.canTell(wanted) && !accepted.canTell(values(["timezone": "Utc"])))
        let told = accepted.unconfirmed(values(["timezone": "utc", "application_name": "psql"])).told
        #expect(told["TimeZone"] == "UTC" && told["application_name"] == "psql")
    }

    @Test func clientsCannotFillTheMemory() {
        let accepted = Self.known()
        for number in 0..<1_000 {
            let wanted = values(["work_mem": "\(number)kB"])
            _ = accepted.record(wanted, reported: defaults, initial: defaults, at: at(1))
            #expect(accepted.entry(for: wanted, at: at(2)) != nil)
            let zone = values(["TimeZone": "UTC+\(number)"])
            var reported = defaults
            reported.set("TimeZone", to: "UTC+\(number)")
            _ = accepted.record(zone, reported: reported, initial: defaults, at: at(1))
            #expect(accepted.canTell(zone))
        }
        let spelled = (0..<1_000).count { accepted.canTell(values(["TimeZone": "UTC+\($0)"])) }
        #expect((1...300).contains(spelled))
        let known = (0..<1_000).count {
            accepted.entry(for: values(["work_mem": "\($0)kB"]), at: at(2)) != nil
        }
        #expect((1...300).contains(known))
    }

    @Test func theGreetingTellsAllOfItAndTheClientsKey() throws {
        let entry = AcceptedParameters.Entry(SettingValues(), told: defaults)
        let key = BackendKeyData(processID: 5, key: [1, 2, 3, 4])
        var expected: [UInt8] = []
        AuthenticationRequest.ok.encode(into: &expected)
        for setting in defaults.all {
            ParameterStatus(name: setting.name, value: setting.value).encode(into: &expected)
        }
        key.encode(into: &expected)
        ReadyForQuery(status: .idle).encode(into: &expected)
        #expect(entry.greeting(key) == expected)
    }
}
