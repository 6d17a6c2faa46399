// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import Testing

@testable import CaromPostgres

/// In which order a server is spoken to in the open and under TLS.
@Suite struct EncryptionPlanTests {
    private static let ruledOut = PostgresError(.authentication, "no entry", sqlState: "28000")
    private static let wrongPassword = PostgresError(.authentication, "wrong", sqlState: "28P01")
    private static let noTLS = PostgresError(.encryption, "a certificate was refused")
    private static let lost = PostgresError(.connection, "reset")

    @Test(arguments: [
        (TLSMode.disable, EncryptionPlan.Attempt.plain), (.allow, .plain), (.prefer, .offered),
        (.require, .required), (.verifyCA, .required), (.verifyFull, .required),
    ])
    func eachModeBeginsInItsWay(_ mode: TLSMode, _ first: EncryptionPlan.Attempt) {
        #expect(EncryptionPlan(mode).attempt == first)
    }

    @Test(arguments: TLSMode.allCases)
    func aServerWithoutTLSWillDoUnlessItIsNeeded(_ mode: TLSMode) throws {
        var plan = EncryptionPlan(mode)
        if plan.attempt == .required {
            let error = #expect(throws: PostgresError.self) { try plan.answered(hasTLS: false) }
            #expect(error?.code == .encryption)
        } else {
            try plan.answered(hasTLS: false)
        }
        #expect(!plan.isEncrypted)
    }

    /// What is tried after these errors, one after the other; nil for nothing more.
    private static func attempts(_ plan: EncryptionPlan, after errors: [PostgresError])
        -> [EncryptionPlan.Attempt?]
    {
        var plan = plan
        return errors.map { error in
            let goesOn = plan.goesOn(after: error)
            return goesOn ? plan.attempt : nil
        }
    }

    private static func preferring(hasTLS: Bool) throws -> EncryptionPlan {
        var plan = EncryptionPlan(.prefer)
        try plan.answered(hasTLS: hasTLS)
        #expect(plan.isEncrypted == hasTLS)
        return plan
    }

    @Test func whereTLSIsNeededOrNeverUsedNothingElseIsTried() {
        for mode in [TLSMode.disable, .require, .verifyCA, .verifyFull] {
            let errors = [Self.ruledOut, Self.wrongPassword, Self.noTLS, Self.lost]
            #expect(Self.attempts(EncryptionPlan(mode), after: errors) == [nil, nil, nil, nil])
        }
    }

    @Test func aServerThatRulesTheOpenOutIsTriedUnderTLSOnce() {
        let plan = EncryptionPlan(.allow)
        #expect(Self.attempts(plan, after: [Self.ruledOut, Self.ruledOut]) == [.required, nil])
        #expect(Self.attempts(plan, after: [Self.wrongPassword, Self.noTLS, Self.lost]) == [nil, nil, nil])
    }

    @Test func whatWasOnlyPreferredIsGivenUpOnce() throws {
        for error in [Self.ruledOut, Self.noTLS] {
            let plan = try Self.preferring(hasTLS: true)
            #expect(Self.attempts(plan, after: [error, error]) == [.plain, nil])
        }
        let plan = try Self.preferring(hasTLS: true)
        #expect(Self.attempts(plan, after: [Self.wrongPassword, Self.lost]) == [nil, nil])
        // It was in the open already.
        #expect(Self.attempts(try Self.preferring(hasTLS: false), after: [Self.ruledOut]) == [nil])
    }
}
