// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// One client's names for prepared statements, on servers that it shares.
@Suite struct ClientStatementsTests {
    private let registry = StatementRegistry()
    private let server = PooledServer()

    private func client(_ number: UInt64, limit: Int = 200, startup: [String: String] = [:]) -> PooledClient {
        PooledClient(number, registry, limit: limit, startup: startup)
    }

    /// What a client gets, in words.
    private func tell(
        _ client: PooledClient, on server: PooledServer? = nil, _ build: (inout Messages) -> Void
    ) -> String {
        readable(client.send(Messages.of(build), on: server ?? self.server))
    }

    /// What a server reads from here on.
    private func read(_ server: PooledServer, during body: () -> Void) -> [String] {
        let before = server.model.read.count
        body()
        return Array(server.model.read[before...])
    }

    private func prepare(_ client: PooledClient, _ name: String, _ text: String) {
        let told = tell(client) {
            $0.parse(name, text)
            $0.sync()
        }
        #expect(told == "1 Z(I)")
    }

    private func run(_ client: PooledClient, _ name: String, on server: PooledServer? = nil) -> String {
        tell(client, on: server) {
            $0.run(name)
            $0.sync()
        }
    }

    private static func missing(_ name: String) -> String {
        "E(26000 prepared statement \"\(name)\" does not exist) Z(I)"
    }
    private static let noUnnamed = "E(26000 unnamed prepared statement does not exist) Z(I)"
    private static let one = "2 D(SELECT 1) C(SELECT 1) Z(I)"

    // MARK: Names

    @Test func theServerKnowsAStatementByAnotherName() {
        let ada = client(1)
        let read = read(server) {
            let told = tell(ada) {
                $0.parse("q", "SELECT 1")
                $0.describe("q")
                $0.run("q")
                $0.sync()
            }
            #expect(told == "1 t T " + Self.one)
        }
        #expect(read == ["P carom_1 SELECT 1", "D Scarom_1", "B carom_1", "E", "S"])
    }

    @Test func clientsWithTheSameTextShareAStatement() {
        let (ada, bob) = (client(1), client(2))
        prepare(ada, "q", "SELECT 1")
        prepare(bob, "other", "SELECT 1")
        #expect(registry.size.count == 1)
        #expect(server.model.statements.count == 1)
        let read = read(server) { #expect(run(ada, "q") == Self.one && run(bob, "other") == Self.one) }
        #expect(read.filter { $0.hasPrefix("P") } == [])
    }

    @Test func clientsWithOtherSettingsDoNot() {
        let (ada, bob, eve) = (
            client(1), client(2, startup: ["x": "1"]), client(3, startup: ["application_name": "eve"])
        )
        for each in [ada, bob, eve] { prepare(each, "q", "SELECT 1") }
        #expect(registry.size.count == 2, "the program's name does not matter")
    }

    @Test func aStatementThatAServerLacksIsParsedThereUnseen() {
        let ada = client(1)
        let other = PooledServer()
        prepare(ada, "q", "SELECT 1")
        let read = read(other) { #expect(run(ada, "q", on: other) == Self.one) }
        #expect(read == ["P carom_1 SELECT 1", "B carom_1", "E", "S"])
        let again = self.read(other) { #expect(run(ada, "q", on: other) == Self.one) }
        #expect(again == ["B carom_1", "E", "S"])
    }

    @Test func aParseThatIsRefusedLeavesNoTrace() {
        let ada = client(1)
        let told = tell(ada) {
            $0.parse("q", "BAD")
            $0.sync()
        }
        #expect(told == "E(42601 syntax error at or near \"BAD\") Z(I)")
        #expect(registry.size == (0, 0) && server.model.statements.isEmpty)
        #expect(run(ada, "q") == Self.missing("q"))
        prepare(ada, "q", "SELECT 1")
        #expect(run(ada, "q") == Self.one)
    }

    @Test func aParseThatIsSkippedLeavesNoTrace() {
        let (ada, bob) = (client(1), client(2))
        prepare(bob, "q", "SELECT 1")
        let told = tell(ada) {
            $0.bind("none")
            $0.parse("q", "SELECT 1")
            $0.sync()
        }
        #expect(told == Self.missing("none"))
        #expect(run(ada, "q") == Self.missing("q"))
        // The server still has bob's, and does not refuse the next.
        prepare(ada, "q", "SELECT 1")
        #expect(run(ada, "q") == Self.one && run(bob, "q") == Self.one)
    }

    @Test func aClosedStatementIsGoneForItsClientOnly() {
        let (ada, bob) = (client(1), client(2))
        prepare(ada, "q", "SELECT 1")
        prepare(bob, "q", "SELECT 1")
        let told = tell(ada) {
            $0.close("q")
            $0.run("q")
            $0.sync()
        }
        #expect(told == "3 " + Self.missing("q"))
        #expect(run(ada, "q") == Self.missing("q") && run(bob, "q") == Self.one)
    }

    @Test func aCloseThatIsSkippedLeavesTheStatement() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        let told = tell(ada) {
            $0.bind("none")
            $0.close("q")
            $0.sync()
        }
        #expect(told == Self.missing("none"))
        #expect(run(ada, "q") == Self.one)
    }

    // MARK: Errors

    @Test func errorsNameStatementsAsTheClientDoes() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        let twice = tell(ada) {
            $0.parse("q", "SELECT 2")
            $0.sync()
        }
        #expect(twice == "E(42P05 prepared statement \"q\" already exists) Z(I)")
        let parameters = tell(ada) {
            $0.bind("q", parameters: [[0x31]])
            $0.sync()
        }
        #expect(
            parameters
                == "E(08P01 bind message supplies 1 parameters, but prepared statement \"q\" requires 0) Z(I)"
        )
        #expect(run(ada, "q") == Self.one)
    }

    @Test func oneTextUnderTwoNamesIsTwoStatements() {
        let ada = client(1)
        for name in ["q", "r"] { prepare(ada, name, "SELECT 1") }
        for name in ["q", "r"] {
            let told = tell(ada) {
                $0.parse(name, "SELECT 1")
                $0.sync()
            }
            #expect(told == "E(42P05 prepared statement \"\(name)\" already exists) Z(I)")
        }
    }

    @Test func aNameLikeOneOfTheServersIsTheClientsOwn() {
        let (ada, bob) = (client(1), client(2))
        prepare(ada, "q", "SELECT 1")
        #expect(server.model.statements.keys.map { String(decoding: $0, as: UTF8.self) } == ["carom_1"])
        #expect(run(bob, "carom_1") == Self.missing("carom_1"))
        let told = tell(bob) {
            $0.close("carom_1")
            $0.sync()
        }
        #expect(told == "3 Z(I)")
        #expect(run(ada, "q") == Self.one)
        prepare(bob, "carom_1", "SELECT 2")
        #expect(run(bob, "carom_1") == "2 D(SELECT 2) C(SELECT 1) Z(I)")
    }

    // MARK: The unnamed statement

    @Test func theUnnamedStatementOfAnotherClientIsNeverRun() {
        let (ada, bob) = (client(1), client(2))
        prepare(ada, "", "SELECT 1")
        #expect(run(bob, "") == Self.noUnnamed)
        #expect(run(ada, "") == Self.one, "it is parsed anew")
        #expect(run(ada, "", on: PooledServer()) == Self.one)
    }

    @Test func aQueryThatIsDiscardedEndsNoUnnamedStatement() {
        let (ada, bob) = (client(1), client(2))
        prepare(ada, "", "SELECT 1")
        // Once with the error known, once with all of it under way.
        let failed = ada.send(Messages.of { $0.bind("", parameters: [[0x31]]) }, on: server)
        #expect(readable(failed).hasPrefix("E(08P01"))
        let told = tell(ada) {
            $0.query("SELECT 2")
            $0.sync()
        }
        #expect(told == "Z(I)")
        #expect(run(bob, "") == Self.noUnnamed)
        #expect(run(ada, "") == Self.one)
        let all = tell(ada) {
            $0.bind("none")
            $0.query("SELECT 2")
            $0.sync()
            $0.run("")
            $0.sync()
        }
        #expect(all == Self.missing("none") + " " + Self.one)
    }

    @Test func theUnnamedStatementOfAnotherClientIsNotRunBehindABatchThatFailed() {
        let (ada, bob) = (client(1), client(2))
        for (client, text) in [(ada, "SELECT 1"), (bob, "SELECT 2")] {
            _ = tell(client) {
                $0.parse("", text)
                $0.sync()
            }
        }
        let told = tell(ada) {
            // What would have parsed hers here is skipped.
            $0.run("nobody")
            $0.run("")
            $0.sync()
            $0.run("")
            $0.sync()
        }
        #expect(told == Self.missing("nobody") + " " + Self.one)
    }

    @Test func aQueryEndsTheUnnamedStatement() {
        let ada = client(1)
        prepare(ada, "", "SELECT 1")
        #expect(tell(ada) { $0.query("SELECT 2") } == "T D(SELECT 2) C(SELECT 1) Z(I)")
        #expect(run(ada, "") == Self.noUnnamed)
        prepare(ada, "", "SELECT 1")
        prepare(ada, "q", "SELECT 3")
        #expect(tell(ada) { $0.query("DEALLOCATE q") } == "C(DEALLOCATE) Z(I)")
        #expect(run(ada, "", on: PooledServer()) == Self.noUnnamed)
    }

    @Test func aQueryEndsTheUnnamedStatementWhoseCloseIsSkipped() {
        let ada = client(1)
        _ = tell(ada) {
            $0.parse("", "SELECT 1")
            $0.sync()
        }
        let told = tell(ada) {
            $0.run("nobody")
            $0.close("")
            $0.sync()
            $0.query("SELECT 2")
        }
        #expect(told == Self.missing("nobody") + " T D(SELECT 2) C(SELECT 1) Z(I)")
        #expect(run(ada, "") == Self.noUnnamed)
    }

    @Test func aQueryEndsTheStatementThatIsThereAgainBecauseTheNextOneWasSkipped() {
        let ada = client(1)
        _ = tell(ada) {
            $0.parse("", "SELECT 1")
            $0.sync()
        }
        _ = tell(ada) {
            $0.run("nobody")
            $0.parse("", "SELECT 2")
            $0.sync()
            $0.close("s")
            $0.query("SELECT 3")
        }
        #expect(run(ada, "", on: PooledServer()) == Self.noUnnamed)
    }

    // MARK: The limit

    @Test func aServerHoldsNoMoreThanTheLimitAndLosesNothing() {
        let ada = client(1, limit: 2)
        for number in 0..<6 {
            prepare(ada, "q\(number)", "SELECT \(number)")
            #expect(server.model.statements.count <= 2)
        }
        for number in 0..<6 {
            #expect(run(ada, "q\(number)") == "2 D(SELECT \(number)) C(SELECT 1) Z(I)")
            #expect(server.model.statements.count <= 2)
        }
    }

    @Test func aBatchMayUseMoreStatementsThanAServerHolds() {
        let ada = client(1, limit: 1)
        let told = tell(ada) {
            $0.parse("a", "SELECT a")
            $0.parse("b", "SELECT b")
            for name in ["a", "b", "a"] { $0.run(name) }
            $0.sync()
        }
        #expect(
            told == "1 1 " + ["a", "b", "a"].map { "2 D(SELECT \($0)) C(SELECT 1)" }.joined(separator: " ")
                + " Z(I)")
    }

    // MARK: What is open

    @Test func whatANameMeansIsWaitedForWhereAnEarlierBatchMayFail() {
        let ada = client(1)
        let told = tell(ada) {
            $0.parse("q", "BAD")
            $0.sync()
            $0.run("q")
            $0.sync()
            $0.parse("q", "SELECT 1")
            $0.sync()
            $0.run("q")
            $0.sync()
        }
        #expect(
            told == "E(42601 syntax error at or near \"BAD\") Z(I) " + Self.missing("q") + " 1 Z(I) "
                + Self.one)
    }

    @Test func whatIsNotOpenIsNotWaitedFor() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        let bytes = Messages.of {
            for _ in 0..<3 {
                $0.run("q")
                $0.sync()
            }
        }
        // Before any answer has come.
        ada.rig.clientSends([])
        let before = ada.rig.toServer.count
        #expect(
            readable(ada.send(bytes, on: server))
                == Array(repeating: Self.one, count: 3).joined(separator: " "))
        #expect(
            ada.rig.toServer.count - before == bytes.count + 3 * ("carom_1".utf8.count - 1),
            "renamed, and nothing else")
    }

    // MARK: DEALLOCATE

    @Test func deallocateEndsWhatTheServerKnowsByAnotherName() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        let read = read(server) { #expect(tell(ada) { $0.query("DEALLOCATE q") } == "C(DEALLOCATE) Z(I)") }
        #expect(read == ["Q DEALLOCATE \"carom_1\""])
        #expect(run(ada, "q") == Self.missing("q"))
        #expect(tell(ada) { $0.query("DEALLOCATE q") } == Self.missing("q"))
    }

    @Test func deallocateOfAStatementThatTheServerLacksSucceeds() {
        let ada = client(1)
        let other = PooledServer()
        prepare(ada, "q", "SELECT 1")
        prepare(ada, "r", "SELECT 2")
        #expect(tell(ada, on: other) { $0.query("DEALLOCATE q") } == "C(DEALLOCATE) Z(I)")
        // The answers of what is under way are the client's all the same.
        let told = tell(ada, on: other) {
            $0.query("SELECT 3")
            $0.query("DEALLOCATE r")
        }
        #expect(told == "T D(SELECT 3) C(SELECT 1) Z(I) C(DEALLOCATE) Z(I)")
        #expect(run(ada, "q") == Self.missing("q") && run(ada, "r") == Self.missing("r"))
    }

    @Test func inATransactionThatFailedNothingIsDeallocated() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        for other in [server, PooledServer()] {
            let told = tell(ada, on: other) {
                $0.query("BEGIN")
                $0.query("FAIL")
                $0.query("DEALLOCATE q")
                $0.query("ROLLBACK")
            }
            #expect(
                told == "C(BEGIN) Z(T) E(22012 division by zero) Z(E) "
                    + "E(25P02 current transaction is aborted, commands ignored until end of transaction block) Z(E) C(ROLLBACK) Z(I)"
            )
            #expect(run(ada, "q", on: other) == Self.one)
        }
    }

    @Test func deallocateAllEndsTheClientsOnly() {
        let (ada, bob) = (client(1), client(2))
        prepare(ada, "q", "SELECT 1")
        prepare(bob, "q", "SELECT 1")
        let told = tell(ada) {
            $0.query("DEALLOCATE ALL")
            $0.run("q")
            $0.sync()
        }
        #expect(told == "C(DEALLOCATE ALL) Z(I) " + Self.missing("q"))
        #expect(run(bob, "q") == Self.one)
    }

    @Test func whatIsPreparedBehindDeallocateAllOutlivesAFailure() {
        let ada = client(1)
        let told = tell(ada) {
            $0.parse("", "DEALLOCATE ALL")
            $0.run("")
            $0.parse("q", "SELECT 1")
            $0.run("nobody")
            $0.sync()
        }
        #expect(told == "1 2 C(DEALLOCATE ALL) 1 " + Self.missing("nobody"))
        #expect(run(ada, "q") == Self.one)
    }

    @Test func anEndThatIsSkippedBringsNothingBackThatDeallocateAllHasEnded() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        let told = tell(ada) {
            $0.parse("", "DEALLOCATE ALL")
            $0.run("")
            $0.parse("r", "SELECT 1")
            $0.run("nobody")
            $0.close("q")
            $0.close("r")
            $0.sync()
        }
        #expect(told == "1 2 C(DEALLOCATE ALL) 1 " + Self.missing("nobody"))
        #expect(run(ada, "q") == Self.missing("q"))
        #expect(run(ada, "r") == Self.one)
    }

    @Test func deallocateByTheServersNameEndsNoStatementOfAnothers() {
        let (ada, bob) = (client(1), client(2))
        prepare(ada, "q", "SELECT 1")
        #expect(tell(bob) { $0.query("DEALLOCATE carom_1") } == Self.missing("carom_1"))
        #expect(run(ada, "q") == Self.one)
    }

    @Test func aPreparedDeallocateEndsWhatTheServerKnowsByAnotherName() {
        let ada = client(1)
        for other in [server, PooledServer()] {
            prepare(ada, "q", "SELECT 1")
            prepare(ada, "d", "DEALLOCATE q")
            #expect(run(ada, "d", on: other) == "2 C(DEALLOCATE) Z(I)")
            #expect(run(ada, "q", on: other) == Self.missing("q"))
            #expect(
                tell(ada) {
                    $0.close("d")
                    $0.sync()
                } == "3 Z(I)")
        }
    }

    @Test func aNameIsFreeBehindDeallocateAllInTheSameBatch() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        let told = tell(ada) {
            $0.parse("", "DEALLOCATE ALL")
            $0.run("")
            $0.parse("q", "SELECT 2")
            $0.run("q")
            $0.sync()
        }
        #expect(told == "1 2 C(DEALLOCATE ALL) 1 2 D(SELECT 2) C(SELECT 1) Z(I)")
    }

    @Test func aServerThatLacksAStatementIsNotGivenItBehindDeallocateAll() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        let told = tell(ada, on: PooledServer()) {
            $0.parse("", "DEALLOCATE ALL")
            $0.run("")
            $0.run("q")
            $0.sync()
        }
        #expect(told == "1 2 C(DEALLOCATE ALL) " + Self.missing("q"))
    }

    @Test func aDeallocateThatIsBoundAndDoesNotRunEndsNothing() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        for text in ["DEALLOCATE q", "DEALLOCATE ALL"] {
            let told = tell(ada) {
                $0.parse("", text)
                $0.bind("")
                $0.sync()
            }
            #expect(told == "1 2 Z(I)")
            #expect(run(ada, "q") == Self.one)
        }
    }

    @Test func aDeallocateThatIsSkippedEndsNothing() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        prepare(ada, "d", "DEALLOCATE q")
        let inBatch = tell(ada) {
            $0.run("nobody")
            $0.run("d")
            $0.sync()
        }
        #expect(inBatch == Self.missing("nobody"))
        #expect(run(ada, "q") == Self.one)
        let inQuery = tell(ada) {
            $0.run("nobody")
            $0.query("DEALLOCATE q")
            $0.sync()
        }
        #expect(inQuery == Self.missing("nobody"))
        #expect(run(ada, "q") == Self.one)
    }

    @Test func anErrorOfADeallocateNamesItAsTheClientDoes() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        for name in ["d", ""] {
            let told = tell(ada) {
                $0.parse(name, "DEALLOCATE q")
                $0.bind(name, parameters: [[0x31]])
                $0.sync()
            }
            #expect(
                told
                    == "1 E(08P01 bind message supplies 1 parameters, but prepared statement \"\(name)\" requires 0) Z(I)"
            )
        }
    }

    @Test func whatADeallocateEndsIsWaitedForWhereAnEarlierBatchMayFail() {
        let ada = client(1)
        prepare(ada, "q", "SELECT 1")
        prepare(ada, "d", "DEALLOCATE q")
        let told = tell(ada) {
            $0.run("nobody")
            $0.close("q")
            $0.sync()
            $0.run("d")
            $0.sync()
            $0.run("q")
            $0.sync()
        }
        #expect(told == Self.missing("nobody") + " 2 C(DEALLOCATE) Z(I) " + Self.missing("q"))
    }

    @Test func aDeallocateThatFailsLeavesTheServersCopyInDoubt() {
        let (ada, bob) = (client(1), client(2))
        for each in [ada, bob] { prepare(each, "q", "SELECT 1") }
        #expect(
            tell(ada) { $0.query("FAIL; DEALLOCATE q") } == "E(22012 division by zero) Z(I)")
        #expect(run(bob, "q") == Self.one)
        // It was never ended.
        #expect(run(ada, "q") == Self.one)
        #expect(
            tell(ada) { $0.query("DEALLOCATE q; FAIL") } == "C(DEALLOCATE) E(22012 division by zero) Z(I)")
        #expect(run(ada, "q") == Self.missing("q"))
        #expect(run(bob, "q") == Self.one)
    }
}
