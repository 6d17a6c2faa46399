// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import CaromPostgresProtocol
import CaromTestSupport
import Testing

@testable import CaromPooler

/// A server for one request at a time: transactions of several are refused, and the session goes on.
@Suite struct StatementPoolingTests {
    private let registry = StatementRegistry()
    private let server = PooledServer()

    private func client(_ number: UInt64 = 1) -> PooledClient {
        PooledClient(number, registry, oneAtATime: true)
    }

    /// What the client is told, message by message.
    private func tell(_ client: PooledClient, _ build: (inout Messages) -> Void) -> String {
        readable(client.send(Messages.of(build), on: server))
    }

    @Test func aStatementIsAnsweredAndItsServerIsFree() {
        let ada = client()
        #expect(
            tell(ada) { $0.query("SELECT 1") }
                == readable(
                    PooledClient(2, registry).send(
                        Messages.of { $0.query("SELECT 1") }, on: PooledServer())))
        let isIdle = server.state.readiness == .idle
        #expect(ada.server == nil && isIdle)
    }

    @Test func aTransactionBlockIsRefusedAndRolledBack() {
        let ada = client()
        let told = tell(ada) { $0.query("BEGIN") }
        #expect(told.hasPrefix("C(BEGIN) E(0A000") && told.hasSuffix("Z(I)"), "\(told)")
        #expect(server.model.read.suffix(2) == ["Q BEGIN", "Q ROLLBACK"])
        let isIdle = server.state.readiness == .idle
        #expect(ada.server == nil && isIdle)
        #expect(ada.rig.counters.values[.refusedTransaction] == 1)
        #expect(tell(ada) { $0.query("SELECT 1") }.hasSuffix("Z(I)"))
    }

    @Test func theNextRequestIsNotSentBeforeOneIsAnswered() {
        let ada = client()
        let told = tell(ada) {
            $0.query("BEGIN")
            $0.query("SELECT 1")
            $0.query("COMMIT")
        }
        #expect(server.model.read == ["Q BEGIN", "Q ROLLBACK", "Q SELECT 1", "Q COMMIT"])
        #expect(
            told.components(separated: "Z(I)") == 3 && told.components(separated: "Z(T)") == 0, "\(told)")
        #expect(ada.rig.releases == 3)
    }

    @Test func aFailedBlockIsTakenBackWithoutASecondError() {
        let ada = client()
        let told = tell(ada) { $0.query("BEGIN; FAIL") }
        #expect(told.components(separated: "E(") == 1 && told.hasSuffix("Z(I)"), "\(told)")
        let isFree = server.state.flow.isFree
        #expect(server.model.read.last == "Q ROLLBACK" && isFree)
    }

    @Test func aBatchThatBeginsATransactionIsRefused() {
        let ada = client()
        let told = tell(ada) {
            $0.parse("", "BEGIN")
            $0.bind("")
            $0.execute()
            $0.sync()
        }
        #expect(told.contains("E(0A000") && told.hasSuffix("Z(I)"), "\(told)")
        let isFree = server.state.flow.isFree
        #expect(isFree)
    }

    @Test func whereOnesTurnEndsDoesNotDependOnHowBytesCome() {
        let bytes = Messages.of {
            $0.query("SELECT 1")
            $0.query("BEGIN")
            $0.parse("", "SELECT 1")
            $0.bind("")
            $0.execute()
            $0.sync()
            $0.query("BEGIN; SELECT 1")
            $0.query("SET x = '1'")
            $0.query("BEGIN; FAIL")
            $0.query("SELECT 1")
        }
        let whole = client()
        whole.send(bytes, on: PooledServer())
        for seed in 0..<200 {
            var random = SeededRandom(seed: UInt64(seed))
            let (ada, server) = (client(), PooledServer())
            ada.send(bytes, on: server, &random)
            #expect(ada.received == whole.received, "seed \(seed)")
            let isFree = server.state.flow.isFree
            #expect(isFree)
        }
    }
}

extension String {
    fileprivate func components(separated part: String) -> Int { ranges(of: part).count }
}
