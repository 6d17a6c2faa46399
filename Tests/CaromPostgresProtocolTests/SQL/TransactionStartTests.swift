// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPostgresProtocol

@Suite struct TransactionStartTests {
    private static func isAll(_ text: String) -> Bool {
        TransactionStart.isAll(of: Array(text.utf8).span.bytes)
    }

    @Test(arguments: [
        "BEGIN", "begin;", " Begin ;; ", "/* a */ BEGIN -- b",
        "BEGIN ISOLATION LEVEL SERIALIZABLE, READ ONLY",
        "START TRANSACTION", "start /* ; */ transaction read write;", "BEGIN WORK",
    ])
    func opensATransactionAndDoesNothingElse(_ text: String) {
        #expect(Self.isAll(text))
    }

    @Test(arguments: [
        "", ";", "BEGIN; SELECT 1", "SELECT 1", "SELECT 1; BEGIN", "BEGINS", "\"begin\"", "START",
        "START_REPLICATION",
        "COMMIT", "SAVEPOINT begin", "BEGIN; ;;INSERT INTO t VALUES (1)",
    ])
    func isSomethingElse(_ text: String) {
        #expect(!Self.isAll(text))
    }
}
