// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct TransactionTests {
        private struct Unwilling: Error {}

        @Test func aTransactionCommitsWhenItsBodyReturns() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute(sql: "create temp table t (a int)")
                let inside = try await connection.transaction { (connection) async throws in
                    try await connection.execute(sql: "insert into t values (1)")
                    return connection.isInTransaction
                }
                #expect(inside)
                #expect(!connection.isInTransaction)
                #expect(try await connection.number("select count(*) from t") == 1)
            }
        }

        @Test func aTransactionRollsBackWhenItsBodyThrows() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute(sql: "create temp table t (a int)")
                await #expect(throws: Unwilling.self) {
                    try await connection.transaction { (connection) async throws in
                        try await connection.execute(sql: "insert into t values (1)")
                        throw Unwilling()
                    }
                }
                let error = await failure {
                    try await connection.transaction {
                        try await $0.execute(sql: "insert into t values (1/0)")
                    }
                }
                #expect(error.sqlState == "22012")
                #expect(!connection.isInTransaction)
                #expect(try await connection.number("select count(*) from t") == 0)
            }
        }

        @Test func aSwallowedErrorDoesNotLookLikeACommit() async throws {
            try await withSession { (connection, _) async throws in
                let error = await failure {
                    try await connection.transaction { (connection) async throws in
                        _ = try? await connection.execute(sql: "select 1/0")
                    }
                }
                #expect(error.sqlState == "25P02")
                #expect(!connection.isInTransaction)
            }
        }

        @Test func aTransactionInATransactionIsRefused() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.transaction { (connection) async throws in
                    let error = await failure { try await connection.transaction { _ in } }
                    #expect(error.code == .invalidRequest)
                    #expect(try await connection.number("select 1") == 1)
                }
            }
        }

        @Test func theWordsOfTheBeginningCount() async throws {
            try await withSession { (connection, _) async throws in
                let error = await failure {
                    try await connection.transaction("BEGIN READ ONLY") {
                        try await $0.execute(sql: "create table never (a int)")
                    }
                }
                #expect(error.sqlState == "25006")
                let words = await failure { try await connection.transaction("BEGIN NONSENSE") { _ in } }
                #expect(words.sqlState == "42601")
            }
        }

        @Test func aTransactionWhoseTaskIsCancelledIsRolledBackByRecycling() async throws {
            try await withSession { (connection, connector) async throws in
                try await connection.execute(sql: "create temp table t (a int)")
                let work = Task {
                    try await connection.transaction { (connection) async throws in
                        try await connection.execute(sql: "insert into t values (1)")
                        withUnsafeCurrentTask { $0?.cancel() }
                        try await connection.execute(sql: "insert into t values (2)")
                    }
                }
                let error = await failure { try await work.value }
                #expect(error.code == .cancelled)
                #expect(connector.returned(connection) == .recycle)
                try await connector.onRecycle(connection)
                #expect(try await connection.number("select count(*) from t") == 0)
            }
        }
    }
}
