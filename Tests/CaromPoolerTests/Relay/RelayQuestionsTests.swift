// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// What a server is asked and told by the pooler itself, so that settings and state are each client's own.
@Suite struct RelayQuestionsTests {
    private let registry = StatementRegistry()
    private let first = PooledServer()
    private let second = PooledServer()

    private func client(_ number: UInt64, _ startup: [String: String] = [:]) -> PooledClient {
        PooledClient(number, registry, startup: startup)
    }

    private func tell(_ client: PooledClient, on server: PooledServer, _ build: (inout Messages) -> Void)
        -> String
    {
        readable(client.send(Messages.of(build), on: server))
    }

    private func query(_ client: PooledClient, _ text: String, on server: PooledServer) -> String {
        tell(client, on: server) { $0.query(text) }
    }

    private func show(_ client: PooledClient, _ name: String, on server: PooledServer) -> String {
        let told = query(client, "SHOW \(name)", on: server)
        return String(told.dropFirst("T D(".count).prefix { $0 != ")" })
    }

    /// What a server reads from here on, without the long questions.
    private func read(_ server: PooledServer, during body: () -> Void) -> [String] {
        let before = server.model.read.count
        body()
        return server.model.read[before...].map { $0.hasPrefix("Q SELECT 's'") ? "?" : $0 }
    }

    // MARK: Settings

    @Test func aSettingGoesWithItsClient() {
        let (ada, bob) = (client(1), client(2))
        let asked = read(first) { #expect(query(ada, "SET x = '1'", on: first) == "C(SET) Z(I)") }
        #expect(asked == ["Q SET x = '1'", "?"])
        #expect(show(ada, "x", on: second) == "1")
        #expect(show(bob, "x", on: first) == "default" && show(bob, "x", on: second) == "default")
        #expect(show(ada, "x", on: first) == "1")
    }

    @Test func aCustomSettingGoesWithItsClient() {
        let (ada, bob) = (client(1), client(2))
        #expect(query(ada, "SET my.x = '1'", on: first) == "C(SET) Z(I)")
        #expect(show(ada, "my.x", on: second) == "1" && show(bob, "my.x", on: second) == "default")
    }

    @Test func aQuestionIsAskedOnlyAfterWhatMayHaveAnAnswer() {
        let ada = client(1)
        let asked = read(first) {
            for text in ["SELECT 1", "BEGIN", "ROLLBACK", "SHOW x"] { _ = query(ada, text, on: first) }
        }
        #expect(!asked.contains("?"))
    }

    @Test func inATransactionTheQuestionWaitsForItsEnd() {
        let ada = client(1)
        let asked = read(first) {
            for text in ["BEGIN", "SET x = '1'", "SELECT 1", "COMMIT"] { _ = query(ada, text, on: first) }
        }
        #expect(asked == ["Q BEGIN", "Q SET x = '1'", "Q SELECT 1", "Q COMMIT", "?"])
        #expect(show(ada, "x", on: second) == "1")
    }

    @Test func whatATransactionTakesBackIsNotSetElsewhere() {
        let ada = client(1)
        _ = query(ada, "SET x = '1'", on: first)
        for text in ["BEGIN", "SET x = '2'", "FAIL", "ROLLBACK"] { _ = query(ada, text, on: first) }
        #expect(show(ada, "x", on: second) == "1")
        for text in ["BEGIN", "SET x = '3'", "ROLLBACK"] { _ = query(ada, text, on: first) }
        #expect(show(ada, "x", on: second) == "1")
        for text in ["BEGIN", "SET x = '4'", "FAIL", "COMMIT"] { _ = query(ada, text, on: first) }
        #expect(show(ada, "x", on: second) == "1")
    }

    @Test func aResetThatFailsBehindAnAnswerChangesNothing() {
        let ada = client(1, ["x": "1"])
        _ = query(ada, "SET y = '5'", on: first)
        let told = tell(ada, on: first) {
            $0.query("SELECT 1")
            $0.parse("", "RESET ALL")
            $0.run("")
            $0.run("nobody")
            $0.sync()
        }
        #expect(told.hasSuffix("E(26000 prepared statement \"nobody\" does not exist) Z(I)"))
        #expect(show(ada, "y", on: first) == "5" && show(ada, "y", on: second) == "5")
    }

    @Test(arguments: ["RESET ALL", "RESET y"])
    func aResetThatIsBoundAndDoesNotRunChangesNothing(_ text: String) {
        let ada = client(1, ["x": "1"])
        _ = query(ada, "SET y = '5'", on: first)
        let told = tell(ada, on: first) {
            $0.parse("", text)
            $0.bind("")
            $0.sync()
        }
        #expect(told == "1 2 Z(I)")
        #expect(show(ada, "y", on: first) == "5" && show(ada, "y", on: second) == "5")
    }

    // MARK: What keeps a server

    @Test func whatOnlyLivesInASessionKeepsTheServer() {
        let ada = client(1)
        _ = query(ada, "SELECT 1", on: first)
        #expect(ada.server == nil)
        _ = query(ada, "LISTEN l", on: first)
        #expect(ada.server === first)
        _ = query(ada, "SELECT 1", on: second)
        #expect(ada.server === first)
        _ = query(ada, "UNLISTEN *", on: second)
        #expect(ada.server == nil)
    }

    @Test func whatIsTakenBackKeepsNoServer() {
        let ada = client(1)
        for text in ["BEGIN", "LISTEN l"] { _ = query(ada, text, on: first) }
        #expect(ada.server === first, "the transaction is open")
        _ = query(ada, "ROLLBACK", on: first)
        #expect(ada.server == nil)
    }

    // MARK: Resets

    @Test func aResetGoesBackToWhatTheSessionBeganWith() {
        let ada = client(1, ["x": "9", "y": "8"])
        for text in ["RESET x", "SET x TO DEFAULT", "RESET ALL"] {
            #expect(query(ada, "SET x = '1'", on: first) == "C(SET) Z(I)")
            #expect(show(ada, "x", on: second) == "1")
            let tag = text.hasPrefix("SET") ? "SET" : "RESET"
            #expect(query(ada, text, on: first) == "C(\(tag)) Z(I)")
            for server in [first, second] {
                #expect(show(ada, "x", on: server) == "9" && show(ada, "y", on: server) == "8")
            }
        }
    }

    @Test func theAnswerToAResetWaitsForTheRepair() {
        let ada = client(1, ["x": "9"])
        _ = query(ada, "SET x = '1'", on: first)
        let asked = read(first) {
            // The next query is under way already.
            let told = tell(ada, on: first) {
                $0.query("RESET x")
                $0.query("SHOW x")
            }
            #expect(told == "C(RESET) Z(I) T D(9) C(SHOW) Z(I)")
        }
        // By extended messages: the client's unnamed statement stays.
        let own = [
            "C Scarom_/", "P carom_/ SET x='9'", "B carom_/ carom_/", "E carom_/", "C Pcarom_/", "C Scarom_/",
            "S",
        ]
        #expect(asked == ["Q RESET x"] + own + ["Q SHOW x"])
    }

    @Test func aResetOfWhatTheSessionDidNotBeginWithNeedsNoRepair() {
        let ada = client(1)
        _ = query(ada, "SET x = '1'", on: first)
        let asked = read(first) { #expect(query(ada, "RESET x", on: first) == "C(RESET) Z(I)") }
        #expect(asked.last == "?" && asked.contains("Q RESET x"))
        #expect(show(ada, "x", on: second) == "default")
    }

    @Test func aResetThatFailsOrIsTakenBackChangesNothing() {
        let ada = client(1, ["x": "9"])
        _ = query(ada, "SET x = '1'", on: first)
        let told = tell(ada, on: first) {
            for text in ["BEGIN", "RESET x", "SHOW x", "FAIL", "RESET x", "ROLLBACK", "SHOW x"] {
                $0.query(text)
            }
        }
        #expect(
            told == "C(BEGIN) Z(T) C(RESET) Z(T) T D(9) C(SHOW) Z(T) E(22012 division by zero) Z(E) "
                + "E(25P02 current transaction is aborted, commands ignored until end of transaction block) Z(E) "
                + "C(ROLLBACK) Z(I) T D(1) C(SHOW) Z(I)")
        #expect(show(ada, "x", on: second) == "1")
    }

    @Test func whatIsSetBehindAResetInOneBatchIsTheClientsWish() {
        for reset in ["RESET x", "RESET ALL", "SET x TO DEFAULT"] {
            let ada = client(1, ["x": "9"])
            let tag = reset.hasPrefix("SET") ? "SET" : "RESET"
            let batch = tell(ada, on: first) {
                $0.parse("r", reset)
                $0.parse("s", "SET x = '2'")
                $0.run("r")
                $0.run("s")
                $0.sync()
            }
            #expect(batch == "1 1 2 C(\(tag)) 2 C(SET) Z(I)")
            #expect(show(ada, "x", on: first) == "2" && show(ada, "x", on: second) == "2", "\(reset)")
        }
    }

    @Test func whatAQuerySetsBehindAResetInItsBatchIsTheClientsWish() {
        for reset in ["RESET x", "RESET ALL"] {
            let ada = client(1, ["x": "9"])
            let batch = tell(ada, on: first) {
                $0.parse("", reset)
                $0.run("")
                $0.query("SET x = '2'")
            }
            #expect(batch == "1 2 C(RESET) C(SET) Z(I)")
            #expect(show(ada, "x", on: first) == "2" && show(ada, "x", on: second) == "2", "\(reset)")
        }
    }

    @Test func whatOneQuerySetsBehindItsResetIsTheClientsWish() {
        let ada = client(1, ["x": "9"])
        for text in ["RESET ALL; SET x = '2'", "RESET x; SET x = '2'"] {
            #expect(query(ada, text, on: first) == "C(RESET) C(SET) Z(I)")
            #expect(show(ada, "x", on: first) == "2" && show(ada, "x", on: second) == "2", "\(text)")
        }
    }

    @Test func aResetThatIsDiscardedKeepsNobodyWaiting() {
        let ada = client(1, ["x": "9"])
        _ = tell(ada, on: first) {
            $0.parse("r", "RESET ALL")
            $0.sync()
        }
        // The error is known before the query comes, which is discarded.
        #expect(
            tell(ada, on: first) {
                $0.run("r"); $0.bind("none")
            }.hasSuffix("does not exist)"))
        let told = tell(ada, on: first) {
            $0.query("SELECT 1")
            $0.sync()
        }
        #expect(told == "Z(I)")
        #expect(query(ada, "SHOW x", on: second) == "T D(9) C(SHOW) Z(I)")
    }

    @Test func discardAllLeavesTheSessionAsItBegan() {
        let ada = client(1, ["x": "9"])
        _ = tell(ada, on: first) {
            $0.query("SET x = '1'")
            $0.parse("q", "SELECT 1")
            $0.sync()
            $0.query("LISTEN l")
        }
        #expect(query(ada, "DISCARD ALL", on: first) == "C(DISCARD ALL) Z(I)")
        #expect(ada.server == nil && first.model.statements.isEmpty)
        #expect(show(ada, "x", on: first) == "9" && show(ada, "x", on: second) == "9")
        let gone = tell(ada, on: first) {
            $0.run("q")
            $0.sync()
        }
        #expect(gone == "E(26000 prepared statement \"q\" does not exist) Z(I)")
    }

    // MARK: Sequences

    @Test func theValueOfASequenceIsNotReadFromAnothersSession() {
        let (ada, bob) = (client(1), client(2))
        _ = query(ada, "SELECT nextval('s')", on: first)
        let own = read(first) { _ = query(ada, "SELECT currval('s')", on: first) }
        #expect(own == ["Q SELECT currval('s')"])
        let foreign = read(first) {
            #expect(
                query(bob, "SELECT currval('s')", on: first) == "T D(SELECT currval('s')) C(SELECT 1) Z(I)")
        }
        #expect(foreign == ["Q DISCARD SEQUENCES", "Q SELECT currval('s')"])
        let again = read(first) { _ = query(bob, "SELECT currval('s')", on: first) }
        #expect(again == ["Q SELECT currval('s')"])
    }
}
