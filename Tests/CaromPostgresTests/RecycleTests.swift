// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import CaromReactor
import CaromTCP
import CaromTestSupport
import Testing

@testable import CaromPostgres

extension ServerTests {
    /// Connections left in every state there is: made clean, in the same session, or closed.
    @Suite struct RecycleTests {
        /// Lets `leave` leave a connection, recycles it and shows that it is as good as new.
        private func recycle(
            _ connector: PostgresConnector = World.current.connector(),
            _ leave: (PostgresConnection, PostgresConnector) async throws -> Void
        ) async throws {
            try await withSession(connector) { (connection, connector) async throws in
                try await connection.execute(sql: "create temp table t (a int)")
                for round in 1...3 {
                    try await leave(connection, connector)
                    #expect(connector.returned(connection) == .recycle)
                    let start = ContinuousClock.now
                    try await connector.onRecycle(connection)
                    #expect(ContinuousClock.now - start < .seconds(20), "it was waited for, not cancelled")
                    let isClean = (connection.state.readiness == .idle && connection.output.isEmpty)
                    #expect(isClean)
                    #expect(connector.returned(connection) == .clean)
                    #expect(connector.isUsable(connection, idleFor: .zero))
                    try await connector.isValid(connection)
                    let row = try await connection.query(
                        sql: "select pg_backend_pid(), \(round), now() = statement_timestamp()")[0]
                    #expect(row[0].int == Int(connection.processID))
                    #expect(row[1].int == round)
                    #expect(row[2].bool == true, "a transaction is still open")
                }
            }
        }

        @Test func aCleanConnectionNeedsNothing() async throws {
            try await withSession { (connection, connector) async throws in
                #expect(connector.returned(connection) == .clean)
                #expect(try await connection.number("select 1") == 1)
                #expect(connector.returned(connection) == .clean)
                try await connector.isValid(connection)
                #expect(connector.returned(connection) == .clean)
            }
        }

        @Test func anOpenTransactionIsRolledBack() async throws {
            try await recycle { (connection, _) async throws in
                try await connection.execute(sql: "begin; insert into t values (1)")
            }
        }

        @Test func aFailedTransactionIsRolledBack() async throws {
            try await recycle { (connection, _) async throws in
                try await connection.execute(sql: "begin")
                _ = await failure { try await connection.query(sql: "select 1/0") }
            }
        }

        @Test func aRunningQueryIsCancelled() async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(connector, sending: [.query]) {
                    Query("select pg_sleep(60)").encode(into: &$0)
                }
            }
        }

        @Test func aRunningQueryInATransactionIsCancelledAndRolledBack() async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.execute(sql: "begin")
                try await connection.leave(connector, sending: [.query]) {
                    Query("select pg_sleep(60)").encode(into: &$0)
                }
            }
        }

        @Test func aPipelineOfQueriesIsCancelledOneByOneOrRun() async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(connector, sending: [.query, .query, .query]) { bytes in
                    Query("select pg_sleep(60)").encode(into: &bytes)
                    Query("insert into t values (1)").encode(into: &bytes)
                    Query("begin").encode(into: &bytes)
                }
            }
        }

        @Test func aCopyInThatIsHalfWayFails() async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(connector, sending: [.query], until: .copyInResponse) {
                    Query("copy t from stdin").encode(into: &$0)
                }
                try await connection.leave(connector, sending: [.copyData, .copyData]) { bytes in
                    CopyData.encode(Array("1\n2\n".utf8), into: &bytes)
                    CopyData.encode(Array("3\n4".utf8), into: &bytes)
                }
            }
            // The next must find nothing of it; each round begins with a table that is still empty.
            try await recycle { (connection, connector) async throws in
                #expect(try await connection.number("select count(*) from t") == 0)
                try await connection.leave(connector, sending: [.query, .copyData]) { bytes in
                    Query("copy t from stdin").encode(into: &bytes)
                    CopyData.encode(Array("1\n".utf8), into: &bytes)
                }
            }
        }

        @Test func aCopyInOfTheExtendedProtocolThatIsHalfWayFails() async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(
                    connector, sending: [.parse, .bind, .execute, .flush], until: .copyInResponse
                ) {
                    Parse(name: "", query: "copy t from stdin").encode(into: &$0)
                    Bind(statement: []).encode(into: &$0)
                    Execute().encode(into: &$0)
                    FrontendTag.flush.encodeEmpty(into: &$0)
                }
            }
        }

        @Test(arguments: [false, true]) func aSyncThatACopyInHasSwallowedIsSentAgain(sawCopy: Bool)
            async throws
        {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(
                    connector, sending: [.parse, .bind, .execute, .sync],
                    until: sawCopy ? .copyInResponse : nil
                ) {
                    Parse(name: "", query: "copy t from stdin").encode(into: &$0)
                    Bind(statement: []).encode(into: &$0)
                    Execute().encode(into: &$0)
                    FrontendTag.sync.encodeEmpty(into: &$0)
                }
            }
        }

        @Test(arguments: [nil, BackendTag.copyOutResponse, .copyData])
        func aCopyOutThatNobodyReadsIsCancelled(until: BackendTag?) async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(connector, sending: [.query], until: until) {
                    Query("copy (select generate_series(1, 50000000)) to stdout").encode(into: &$0)
                }
            }
        }

        @Test func aBatchWithoutSyncIsClosed() async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(
                    connector, sending: [.parse, .bind, .execute, .flush], until: .commandComplete
                ) {
                    Parse(name: "", query: "insert into t values (1)").encode(into: &$0)
                    Bind(statement: []).encode(into: &$0)
                    Execute().encode(into: &$0)
                    FrontendTag.flush.encodeEmpty(into: &$0)
                }
            }
        }

        @Test(arguments: [nil, BackendTag.errorResponse])
        func aBatchThatFailedAndHasNoSyncIsClosed(until: BackendTag?) async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(connector, sending: [.parse, .bind, .execute], until: until) {
                    Parse(name: "", query: "selec").encode(into: &$0)
                    Bind(statement: []).encode(into: &$0)
                    Execute().encode(into: &$0)
                }
            }
        }

        @Test func aDeepPipelineWithoutTheLastSyncIsClosed() async throws {
            try await recycle { (connection, connector) async throws in
                let batch: [FrontendTag] = [.parse, .bind, .execute, .sync]
                let tags = Array(repeating: batch, count: 50).flatMap { $0 }.dropLast()
                try await connection.leave(connector, sending: Array(tags), until: .readyForQuery) { bytes in
                    for number in 0..<50 {
                        Parse(name: "", query: number % 7 == 3 ? "select 1/0" : "select \(number)").encode(
                            into: &bytes)
                        Bind(statement: []).encode(into: &bytes)
                        Execute().encode(into: &bytes)
                        if number < 49 { FrontendTag.sync.encodeEmpty(into: &bytes) }
                    }
                }
            }
        }

        @Test func aResultThatStopsInTheMiddleOfARowIsReadToItsEnd() async throws {
            try await recycle { (connection, connector) async throws in
                try await connection.leave(connector, sending: [.query], until: .rowDescription) {
                    Query("select repeat('x', 30000000) from generate_series(1, 3)").encode(into: &$0)
                }
                // As much of the first row as a relay has passed on when its client leaves.
                try await connector.exclusively(connection, within: .seconds(5)) {
                    (conversation) throws(PostgresError) in
                    try await conversation.fill()
                    let chunk = connection.state.unread
                    let absorbed = connection.state.receive(chunk.span.bytes, limits: .server())
                    connection.state.unread.removeFirst(absorbed.consumed)
                }
                let holds = connection.state.isInsideReply
                #expect(holds)
            }
        }

        @Test func anErrorAfterReadyIsFoundWhenTheConnectionIsUsed() async throws {
            try await withSession { (connection, connector) async throws in
                try await withSession { (other, _) async throws in
                    try await other.query(
                        sql: "select pg_terminate_backend($1)", [.int(Int(connection.processID))])
                }
                try await until { !connector.isUsable(connection, idleFor: .zero) }
                await #expect(throws: PostgresError.self) { try await connector.isValid(connection) }
            }
        }

        @Test func aMessageThatWasSentInHalfClosesTheConnection() async throws {
            try await withSession { (connection, connector) async throws in
                connection.state.setSendingMessage(true)
                #expect(
                    connector.returned(connection)
                        == .discard(reason: "the client left in the middle of a message"))
                let error = await failure { try await connector.onRecycle(connection) }
                #expect(error.code == .connection)
            }
        }

        @Test func whatTheConfigurationForbidsClosesTheConnection() async throws {
            let connector = World.current.connector {
                $0.recycling.cancels = false
                $0.recycling.rollsBack = false
            }
            try await withSession(connector) { (connection, _) async throws in
                try await connection.execute(sql: "begin")
                let error = await failure { try await connector.onRecycle(connection) }
                #expect(error.message.contains("pool_rollback"))
                #expect(connector.classify(error) == .other, "the server is not to blame")
            }
            try await withSession(connector) { (connection, _) async throws in
                try await connection.leave(connector, sending: [.query]) {
                    Query("select pg_sleep(60)").encode(into: &$0)
                }
                let error = await failure { try await connector.onRecycle(connection) }
                #expect(error.message.contains("pool_cancel"))
                #expect(connector.classify(error) == .other, "the server is not to blame")
            }
        }

        @Test func aQueryThatIgnoresItsCancelIsNotTheServersFault() async throws {
            let connector = World.current.connector { $0.recycling.timeout = .milliseconds(700) }
            try await withSession(connector) { (connection, _) async throws in
                try await connection.leave(connector, sending: [.query]) {
                    let stubborn = """
                        do $$ begin for round in 1..20 loop
                            begin perform pg_sleep(0.3); exception when query_canceled then null; end;
                        end loop; end $$
                        """
                    Query(stubborn).encode(into: &$0)
                }
                // A cancel that comes before the block begins ends it all the same.
                try await Task.sleep(for: .milliseconds(150))
                let error = await failure { try await connector.onRecycle(connection) }
                #expect(error.message.contains("although it was cancelled"))
                #expect(connector.classify(error) == .other)
            }
        }

        @Test func aServerThatDoesNotAnswerIsGivenUpAtTheTimeout() async throws {
            let group = try ReactorGroup(count: 1, name: "client")
            defer { group.stop() }
            var configuration = PostgresConfiguration(user: "me", database: "mine")
            configuration.recycling.timeout = .milliseconds(200)
            configuration.validationTimeout = .milliseconds(200)
            let connector = PostgresConnector(configuration, reactors: group.reactors)
            for status in [TransactionStatus.inTransaction, .idle] {
                try await ScriptedPostgres.run { session in
                    try await session.login(status)
                    try await session.silence()
                } _: { backend in
                    try await withSession(connector, to: backend) { (connection, _) async throws in
                        let start = ContinuousClock.now
                        let error = await failure {
                            status == .idle
                                ? try await connector.isValid(connection)
                                : try await connector.onRecycle(connection)
                        }
                        #expect(error.code == .timedOut)
                        #expect(ContinuousClock.now - start < .seconds(2))
                    }
                }
            }
        }

        @Test func aCancelThatNobodyConfirmsClosesTheConnection() async throws {
            let group = try ReactorGroup(count: 1, name: "client")
            defer { group.stop() }
            var configuration = PostgresConfiguration(user: "me", database: "mine")
            configuration.recycling.timeout = .milliseconds(200)
            let connector = PostgresConnector(configuration, reactors: group.reactors)
            try await ScriptedPostgres.run { session in
                guard try await session.startup() == ProtocolVersion.v3_0.code else {
                    return try await session.silence()
                }
                var bytes: [UInt8] = []
                AuthenticationRequest.ok.encode(into: &bytes)
                ReadyForQuery(status: .idle).encode(into: &bytes)
                try await session.send(bytes)
                try await session.receive()
                // It answers before it has heard of the cancel: that could still hit the next query.
                bytes = []
                CommandComplete(tag: "SELECT 0").encode(into: &bytes)
                try await session.send(bytes)
                try await session.silence()
            } _: { backend in
                try await withSession(connector, to: backend) { (connection, _) async throws in
                    try await connection.leave(connector, sending: [.query]) {
                        Query("select 1").encode(into: &$0)
                    }
                    let error = await failure { try await connector.onRecycle(connection) }
                    #expect(error.message.contains("cancel"))
                }
            }
        }

        @Test func aCancelThatCameTooEarlyIsRepeated() async throws {
            let group = try ReactorGroup(count: 1, name: "client")
            defer { group.stop() }
            let connector = PostgresConnector(
                PostgresConfiguration(user: "me", database: "mine"), reactors: group.reactors)
            let (cancels, report) = AsyncStream.makeStream(of: Void.self)
            try await ScriptedPostgres.run { session in
                // A cancel is heard when its connection is closed.
                guard try await session.startup() == ProtocolVersion.v3_0.code else {
                    report.yield()
                    return
                }
                var bytes: [UInt8] = []
                AuthenticationRequest.ok.encode(into: &bytes)
                ReadyForQuery(status: .idle).encode(into: &bytes)
                try await session.send(bytes)
                try await session.receive()
                // The first cancel finds the server idle; the query ends with the second.
                var heard = cancels.makeAsyncIterator()
                for _ in 1...2 { await heard.next() }
                bytes = []
                ErrorFields(severity: .error, code: .queryCanceled, message: "canceled").encode(into: &bytes)
                ReadyForQuery(status: .idle).encode(into: &bytes)
                try await session.send(bytes)
                try await session.silence()
            } _: { backend in
                try await withSession(connector, to: backend) { (connection, connector) async throws in
                    try await connection.leave(connector, sending: [.query]) {
                        Query("select pg_sleep(60)").encode(into: &$0)
                    }
                    try await connector.onRecycle(connection)
                    #expect(connector.returned(connection) == .clean)
                }
            }
        }
    }
}
