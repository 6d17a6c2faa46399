// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPostgres

extension ServerTests {
    /// What the questions about a session find in a real one, and what the reset takes out of it.
    @Suite struct SessionInquiryServerTests {
        /// What the server answers that is asked what is left.
        private static func ask(_ connection: PostgresConnection, names: [String] = []) async throws
            -> SessionInquiry.Answer
        {
            let query = String(decoding: SessionInquiry.query(asking: names), as: UTF8.self)
            var rows: [UInt8] = []
            for row in try await connection.query(sql: query) {
                rows.appendMessage(BackendTag.dataRow.rawValue) { bytes in
                    bytes.append16(UInt16(row.count))
                    for cell in row { bytes.appendValue(cell.encoded) }
                }
            }
            let user = connection.state.initial["session_authorization"]
            return try #require(SessionInquiry.answer(rows, user: user))
        }

        private static func settings(_ settings: [String: String]) -> SettingValues {
            SettingValues(settings.map { StartupParameter($0.key, $0.value) })
        }

        /// Runs statements in a fresh session, and asks what they have left.
        private static func left(_ statements: [String], names: [String] = []) async throws
            -> SessionInquiry.Answer
        {
            try await withSession { (connection, _) async throws in
                for statement in statements { try await connection.execute(sql: statement) }
                return try await ask(connection, names: names)
            }
        }

        @Test func aFreshSessionHasNothing() async throws {
            #expect(try await Self.left([]) == SessionInquiry.Answer())
            #expect(try await Self.left([], names: ["my.x", "your.y"]) == SessionInquiry.Answer())
        }

        @Test func settingsOfTheStartupPacketAreNoneOfTheSession() async throws {
            let connector = World.current.connector {
                $0.parameters = ["application_name": "mine", "work_mem": "5MB", "options": "-c geqo=off"]
            }
            try await withSession(connector) { (connection, _) async throws in
                #expect(try await Self.ask(connection) == SessionInquiry.Answer())
                try await connection.execute(sql: "set work_mem = '7MB'")
                #expect(try await Self.ask(connection).settings == Self.settings(["work_mem": "7168"]))
            }
        }

        @Test(
            arguments: [
                (["set work_mem = '7MB'"], ["work_mem": "7168"]),
                (["select set_config('work_mem', '7MB', false)"], ["work_mem": "7168"]),
                (
                    ["set timezone = 'Asia/Tokyo'; set application_name = 'it''s \u{e9}'"],
                    ["TimeZone": "Asia/Tokyo", "application_name": "it's ??"]
                ),
                (["set search_path = \"$user\", \"Public\""], ["search_path": "\"$user\", \"Public\""]),
                (
                    ["set client_encoding = 'LATIN1'", "set search_path = a, b"],
                    ["client_encoding": "LATIN1", "search_path": "a, b"]
                ),
                (["begin", "set work_mem = '7MB'", "commit"], ["work_mem": "7168"]),
                (["begin", "set work_mem = '7MB'", "rollback"], [:]),
                (["begin; set local work_mem = '7MB'; commit"], [:]),
                (["set work_mem = '7MB'", "reset work_mem"], [:]),
                (["set work_mem = '7MB'", "reset all"], [:]),
                (["do $$ begin perform set_config('work_mem', '7MB', false); end $$"], ["work_mem": "7168"]),
                (["update pg_settings set setting = '7168' where name = 'work_mem'"], ["work_mem": "7168"]),
                (["set transaction isolation level serializable"], [:]),
                (
                    ["set session characteristics as transaction isolation level serializable"],
                    ["default_transaction_isolation": "serializable"]
                ),
                (["set role pg_monitor"], ["role": "pg_monitor"]),
                (["set role pg_monitor", "reset role"], [:]),
                (["set role pg_monitor", "set role none"], [:]),
            ] as [([String], [String: String])])
        func settingsAreFound(_ statements: [String], _ expected: [String: String]) async throws {
            let found = try await Self.left(statements)
            #expect(found.kept == [])
            #expect(Set(found.settings.all.map(\.name)) == Set(expected.keys))
            for (name, value) in expected { #expect(found.settings[name] == value, "\(name)") }
        }

        @Test func anotherUserOfTheSessionIsFound() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute(sql: "create role inquired; grant pg_monitor to inquired")
                try await connection.execute(sql: "set session authorization inquired; set role pg_monitor")
                #expect(
                    try await Self.ask(connection).settings
                        == Self.settings(["session_authorization": "inquired", "role": "pg_monitor"]))
                try await connection.execute(sql: "set session authorization default")
                #expect(try await Self.ask(connection).settings.isEmpty)
                try await connection.execute(sql: "drop role inquired")
            }
        }

        @Test func customSettingsAreFoundByTheirNames() async throws {
            let statements = ["set my.x = '1'; set my.\"user\" = 'ada'; set your.y = '2'"]
            #expect(
                try await Self.left(statements, names: ["my.x", "my.user", "my.z"]).settings
                    == Self.settings(["my.x": "1", "my.user": "ada"]))
            #expect(try await Self.left(statements).settings.isEmpty)
            #expect(try await Self.left(statements + ["reset my.x"], names: ["my.x"]).settings.isEmpty)
            #expect(
                try await Self.left(["begin; set local my.x = '1'; commit"], names: ["my.x"]).settings.isEmpty
            )
        }

        @Test(
            arguments: [
                (["prepare p as select 1"], .statements), (["prepare p as select 1", "deallocate p"], []),
                (["begin; declare c cursor with hold for select 1; commit"], .cursors),
                (["begin; declare c cursor for select 1; commit"], []),
                (["listen here"], .channels), (["listen here", "unlisten here"], []),
                (["begin; listen here; rollback"], []),
                (["select pg_advisory_lock(1)"], .locks), (["select pg_advisory_lock_shared(1, 2)"], .locks),
                (["select pg_advisory_xact_lock(1)"], []),
                (["select pg_advisory_lock(1)", "select pg_advisory_unlock(1)"], []),
                (["create temp table t (a int)"], .temporary), (["select 1 as a into temp t"], .temporary),
                (["create temp view v as select 1 as a"], .temporary),
                (["create temp sequence s"], .temporary),
                (["create temp table t (a int)", "drop table t"], []),
                (["begin; create temp table t (a int) on commit drop; commit"], []),
                (["do $$ begin create temp table t (a int); end $$"], .temporary),
                (
                    [
                        "listen here; select pg_advisory_lock(1); create temp table t (a int); prepare p as select 1",
                        "begin; declare c cursor with hold for select 1; commit",
                    ], [.statements, .cursors, .channels, .locks, .temporary]
                ),
            ] as [([String], KeptState)])
        func whatOnlyLivesInTheSessionIsFound(_ statements: [String], _ expected: KeptState) async throws {
            let found = try await Self.left(statements)
            #expect(found.kept == expected, "\(found.kept.description)")
            #expect(found.settings.isEmpty)
        }

        @Test func whatOthersHoldIsNotTheSessions() async throws {
            try await withSession { (other, _) async throws in
                try await other.execute(
                    sql:
                        "listen here; select pg_advisory_lock(77); create temp table t (a int); prepare p as select 1"
                )
                #expect(try await Self.left([]) == SessionInquiry.Answer())
            }
        }

        /// The client chooses where names are looked up, and how text is written.
        @Test func noSettingOfTheClientsMisleadsTheQuestion() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute(
                    sql: """
                        create schema misleading;
                        create view misleading.pg_settings as select 'work_mem' as name, 'evil' as setting, 'session' as source;
                        create function misleading.current_setting(text, boolean) returns text language sql as 'select ''evil''';
                        create function misleading.encode(bytea, text) returns text language sql as 'select ''6576696c''';
                        set search_path = misleading, pg_catalog; set standard_conforming_strings = off; set bytea_output = 'escape';
                        set client_encoding = 'LATIN1'; set geqo = off; set my.x = '1'
                        """)
                let found = try await Self.ask(connection, names: ["my.x"])
                #expect(
                    found.settings
                        == Self.settings([
                            "search_path": "misleading, pg_catalog", "standard_conforming_strings": "off",
                            "bytea_output": "escape",
                            "client_encoding": "LATIN1", "geqo": "off", "my.x": "1",
                        ]))
                #expect(found.kept == [])
                try await connection.execute(sql: "reset all; drop schema misleading cascade")
            }
        }

        /// What is found is enough to make another session like this one.
        @Test func whatIsFoundBringsAnotherSessionToTheSame() async throws {
            let statements = """
                set work_mem = '7MB'; set timezone = 'Asia/Tokyo'; set datestyle = 'German, DMY'; set search_path = "$user", "a b", c;
                set application_name = 'it''s \\ "x"'; set my.x = '1'; set client_encoding = 'LATIN1'; set statement_timeout = '90s';
                set role pg_monitor
                """
            try await withSession { (first, connector) async throws in
                try await first.execute(sql: statements)
                let found = try await Self.ask(first, names: ["my.x"])
                try await withSession(connector) { (second, _) async throws in
                    var bytes: [UInt8] = []
                    #expect(
                        found.settings.appendStatements(from: SettingValues(), into: &bytes)
                            == found.settings.all.count)
                    try await second.execute(sql: String(decoding: bytes, as: UTF8.self))
                    #expect(try await Self.ask(second, names: ["my.x"]) == found)
                    // And back.
                    bytes = []
                    _ = SettingValues().appendStatements(from: found.settings, into: &bytes)
                    try await second.execute(sql: String(decoding: bytes, as: UTF8.self))
                    #expect(try await Self.ask(second, names: ["my.x"]) == SessionInquiry.Answer())
                }
            }
        }

        // MARK: The reset

        @Test func theResetTakesEverythingAwayButPreparedStatements() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute(sql: "create role resettable; create sequence s")
                try await connection.execute(sql: "prepare kept as select 1")
                try await connection.execute(sql: "begin; declare c cursor with hold for select 1; commit")
                try await connection.execute(
                    sql: """
                        set work_mem = '7MB'; set my.x = '1'; listen here; select pg_advisory_lock(1), pg_advisory_lock_shared(2);
                        create temp table t (a int); select nextval('s'); set session authorization resettable; set role resettable
                        """)
                let before = try await Self.ask(connection, names: ["my.x"])
                #expect(before.kept == [.statements, .cursors, .channels, .locks, .temporary])
                #expect(
                    Set(before.settings.all.map(\.name)) == [
                        "work_mem", "my.x", "session_authorization", "role",
                    ])
                let reset = SessionReset.statements(connection.state.reported)
                try await connection.execute(sql: reset)
                let after = try await Self.ask(connection, names: ["my.x"])
                #expect(after.settings.isEmpty && after.kept == .statements)
                #expect(try await connection.number("execute kept") == 1)
                let error = await failure { try await connection.query(sql: "select lastval()") }
                #expect(error.sqlState == "55000", "the sequence's value is gone")
                try await connection.execute(sql: "drop role resettable; drop sequence s")
            }
        }

        @Test func theResetIsOneAnswerAndChangesAFreshSessionInNothing() async throws {
            try await withSession { (connection, _) async throws in
                let reset = SessionReset.statements(connection.state.reported)
                #expect(reset.contains("UNLISTEN"))
                try await connection.execute(sql: reset)
                #expect(try await Self.ask(connection) == SessionInquiry.Answer())
                let isSame = connection.state.reported == connection.state.initial
                #expect(isSame)
                try await connection.execute(sql: "begin")
                #expect(connection.isInTransaction)
                try await connection.execute(sql: "rollback")
            }
        }

        @Test func aStandbyIsNotAskedToUnlisten() {
            #expect(!SessionReset.statements(Self.settings(["in_hot_standby": "on"])).contains("UNLISTEN"))
            #expect(SessionReset.statements(Self.settings(["in_hot_standby": "off"])).contains("UNLISTEN *;"))
            #expect(SessionReset.statements(SettingValues()).contains("UNLISTEN *;"))
        }
    }
}
