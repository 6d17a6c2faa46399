// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

private func effects(_ text: String) -> StatementEffects { effects(utf8(text)) }

private func effects(_ bytes: [UInt8]) -> StatementEffects { StatementEffects(of: bytes.span.bytes) }

private let unreadable: StatementEffects = [.runsCode, .settings, .resets, .keeps]
private let all: StatementEffects = [.settings, .resets, .resetsAll]
private let role: StatementEffects = [.settings, .setsRole]
private let noRole: StatementEffects = [.settings, .resets, .resetsRole]

/// A text and what it may do.
private typealias EffectsCase = (text: String, effects: StatementEffects)

@Suite struct StatementEffectsTests {
    @Test(
        arguments: [
            ("SET x = 1", .settings), ("SET \"Role\" = bob", role), ("set x to 1", .settings),
            ("SET SESSION x TO 'a', 'b'", .settings),
            ("SeT x.y = 1", .settings), ("SET \"x\" = 'none'", .settings),
            (";;SET x = 1", .settings),
            ("/* a */ SET -- b\n x = 1", .settings), ("\n\t SET x = 1 ; ", .settings),
            ("SET LOCAL x = 1", .setsLocally), ("SET LOCAL x TO DEFAULT", .setsLocally),
            ("SET local.x = 1", .settings),
            ("SET LOCAL ROLE NONE", .setsLocally), ("SET LOCAL SESSION AUTHORIZATION DEFAULT", .setsLocally),
            ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", []), ("SET SESSION TRANSACTION READ ONLY", []),
            ("SET transaction.x = 1", .settings), ("SET CONSTRAINTS ALL DEFERRED", []),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", .settings),
            ("SET x TO DEFAULT", [.settings, .resets]), ("SET x=DEFAULT", [.settings, .resets]),
            ("SET a.b = default;", [.settings, .resets]), ("SET SESSION x = DEFAULT", [.settings, .resets]),
            ("SET x = 'default'", .settings), ("SET x = \"default\"", .settings),
            ("SET ROLE bob", role), ("SET ROLE NONE", role), ("SET ROLE 'none'", role),
            ("SET role = none", role), ("SET role TO bob", role), ("SET SESSION ROLE none", role),
            ("SET x = none", .settings), ("SET role.x = 1", .settings), ("SET \"roles\" = 1", .settings),
            ("SET role TO DEFAULT", noRole), ("SET SESSION \"ROLE\" = DEFAULT", noRole),
            ("RESET ROLE", noRole), ("RESET \"Role\"", noRole), ("RESET role.x", [.settings, .resets]),
            ("SET SESSION AUTHORIZATION bob", role), ("SET SESSION AUTHORIZATION DEFAULT", noRole),
            ("SET SESSION SESSION AUTHORIZATION bob", role),
            ("SET SESSION SESSION AUTHORIZATION DEFAULT", noRole),
            ("SET session_authorization = bob", role), ("SET session_authorization = 'bob'", role),
            ("SET session_authorization TO DEFAULT", noRole), ("RESET session_authorization", noRole),
            ("SET TIME ZONE 'UTC'", .settings), ("SET TIME ZONE LOCAL", [.settings, .resets]),
            ("SET SESSION TIME ZONE DEFAULT", [.settings, .resets]),
            ("SET TIME ZONE INTERVAL '1' HOUR", .settings),
            ("SET NAMES 'UTF8'", .settings), ("SET NAMES", [.settings, .resets]),
            ("SET NAMES DEFAULT", [.settings, .resets]), ("SET NAMES ; SELECT 1", [.settings, .resets]),
            ("SET SCHEMA 'a'", .settings), ("SET XML OPTION DOCUMENT", .settings),
            ("RESET x", [.settings, .resets]), ("RESET TIME ZONE", [.settings, .resets]),
            ("RESET SESSION AUTHORIZATION", noRole), ("RESET ALL", all), ("reset all;", all),
            ("RESET \"all\"", [.settings, .resets]),
            ("DISCARD ALL", [.settings, .resets, .resetsAll, .resetsRole, .letsGo, .deallocates, .listens]),
            ("DISCARD TEMP", .letsGo), ("DISCARD PLANS", .letsGo), ("DISCARD SEQUENCES", .letsGo),
        ] as [EffectsCase])
    func settings(_ text: String, _ expected: StatementEffects) {
        #expect(effects(text) == expected)
    }

    @Test(
        arguments: [
            ("SELECT set_config('a', 'b', false)", .settings),
            ("SELECT set_config('a', 'b', true)", .setsLocally),
            ("SELECT set_config('a', 'b', TRUE)", .setsLocally),
            ("SELECT set_config('a', 'b', 't')", .setsLocally),
            ("SELECT set_config('a', 'b', 'On')", .setsLocally),
            ("SELECT set_config('a', 'b', '1')", .setsLocally),
            ("SELECT set_config('a', 'b', 'yes')", .setsLocally),
            ("SELECT set_config('a', 'b', 'off')", .settings),
            ("SELECT set_config('a', 'b', 'f')", .settings),
            ("SELECT set_config('a', 'b', not true)", .settings),
            ("SELECT set_config('a', 'b', true and false)", .settings),
            ("SELECT set_config('a', 'b', true = $1)", .settings),
            ("SELECT set_config('a', 'b', \"true\")", .settings),
            ("SELECT set_config('a', 'b', $1)", .settings),
            ("SELECT set_config('a', 'x, true)', false)", .settings),
            ("SELECT set_config('a', concat('b', 'c'), true)", .setsLocally),
            ("SELECT set_config('a', (ARRAY['b', 'true'])[1], true)", .setsLocally),
            ("SELECT set_config('a', (ARRAY['b', true])[1], false)", [.settings, .resets]),
            ("SELECT set_config('a', NULL, false)", [.settings, .resets]),
            ("SELECT set_config($1, $2, false)", [.settings, .resets]),
            ("SELECT set_config('role', 'none', false)", role),
            ("SELECT set_config('ROLE', 'none', false)", role),
            ("SELECT set_config('role', $1, false)", [.settings, .resets, .setsRole]),
            ("SELECT set_config('role', NULL, false)", noRole),
            ("SELECT set_config('role', 'b', true)", .setsLocally),
            ("SELECT set_config('session_authorization', 'b', false)", role),
            ("SELECT set_config('session_authorization', null, false)", noRole),
            ("SELECT set_config('a')", [.settings, .resets]), ("SELECT set_config(", [.settings, .resets]),
            ("SELECT pg_catalog.set_config('a', 'b', false)", .settings),
            ("SELECT \"pg_catalog\" . \"set_config\" ('a', 'b', false)", .settings),
            ("SELECT Set_Config /* x */ ('a', 'b', false)", .settings),
            ("SELECT public.set_config('a', 'b', true)", .callsUnknown),
            ("SELECT \"Set_Config\"('a', 'b', true)", .callsUnknown),
            ("SELECT set_config FROM t", []), ("SELECT 'set_config(1)'", []),
            ("SELECT set_config('a', 'b', true), set_config('a', 'b', false)", [.settings, .setsLocally]),
            ("UPDATE t SET x = set_config('a', 'b', false)", .settings),
        ] as [EffectsCase])
    func setConfig(_ text: String, _ expected: StatementEffects) {
        #expect(effects(text) == expected)
    }

    @Test(
        arguments: [
            ("PREPARE x AS SELECT 1", .keeps), ("PREPARE x (int, text) AS SELECT $1", .keeps),
            ("PREPARE transaction AS SELECT 1", .keeps), ("PREPARE TRANSACTION 'x'", []),
            ("PREPARE x AS SELECT f(1)", [.keeps, .callsUnknown]),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", .keeps), ("DECLARE c CURSOR FOR SELECT 1", []),
            ("DECLARE c CURSOR WITHOUT HOLD FOR SELECT hold FROM t", []),
            ("DECLARE c BINARY SCROLL CURSOR with\nhold FOR SELECT 1", .keeps),
            ("DECLARE c CURSOR FOR SELECT nextval('s')", .advancesSequences),
            ("LISTEN x", [.keeps, .listens]), ("NOTIFY x", []), ("NOTIFY x, 'y'", []),
            ("CREATE TEMP TABLE t (a int)", .keeps), ("CREATE TEMPORARY SEQUENCE s", .keeps),
            ("create local temp table t(a int)", .keeps), ("CREATE GLOBAL TEMPORARY TABLE t (a int)", .keeps),
            ("CREATE OR REPLACE TEMP VIEW v (a) AS SELECT 1", .keeps),
            ("CREATE TABLE pg_temp.t (a int)", .keeps), ("CREATE TABLE PG_TEMP . t (a int)", .keeps),
            ("CREATE TABLE \"pg_temp\".t (a int)", .keeps), ("CREATE TABLE temp (temporary int)", []),
            ("CREATE FUNCTION pg_temp.f() RETURNS int AS 'SELECT 1'", .keeps),
            ("SELECT 1 INTO TEMP t", .keeps), ("SELECT 1 into temporary table t", .keeps),
            ("SELECT 1 INTO LOCAL TEMP t", .keeps), ("SELECT 1 INTO pg_temp.t", .keeps),
            ("SELECT 1 INTO TABLE pg_temp.t", .keeps), ("SELECT 1 INTO t", []),
            ("SELECT 1 INTO\nTeMp\tt", .keeps),
            ("EXPLAIN ANALYZE SELECT 1 INTO TEMP t", .keeps),
            ("INSERT INTO temp VALUES (1)", []), ("INSERT INTO pg_temp.t VALUES (1)", []),
            ("SELECT * FROM pg_temp.t", []), ("SELECT temp, temporary FROM t", []),
            ("SELECT 'INTO TEMP t'", []),
            ("SELECT pg_advisory_lock(1)", .keeps), ("SELECT pg_advisory_lock_shared(1, 2)", .keeps),
            ("SELECT pg_try_advisory_lock(1)", .keeps), ("SELECT pg_try_advisory_lock_shared(1)", .keeps),
            ("SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(1)", []),
            ("SELECT pg_advisory_unlock(1)", .letsGo), ("SELECT pg_advisory_unlock_shared(1)", .letsGo),
            ("SELECT pg_advisory_unlock_all()", .letsGo),
            ("CLOSE c", .letsGo), ("CLOSE ALL", .letsGo), ("UNLISTEN *", [.letsGo, .listens]),
            ("DROP TABLE t", .letsGo),
            ("ROLLBACK", .letsGo), ("rollback to savepoint x;", .letsGo), ("ABORT", .letsGo),
            ("ROLLBACK AND CHAIN; SELECT 1", .letsGo),
            ("DEALLOCATE x", [.letsGo, .deallocates]), ("DEALLOCATE PREPARE ALL", [.letsGo, .deallocates]),
        ] as [EffectsCase])
    func whatTheSessionKeeps(_ text: String, _ expected: StatementEffects) {
        #expect(effects(text) == expected)
    }

    @Test(
        arguments: [
            ("DO $$ BEGIN END $$", [.runsCode, .settings, .keeps]), ("CALL p", .runsCode),
            ("CALL p(1)", .runsCode.union(.callsUnknown)),
            ("EXECUTE x", .runsCode), ("EXECUTE x (1, 'a')", .runsCode), ("LOAD 'x'", .runsCode),
            ("EXPLAIN EXECUTE x", .runsCode), ("EXPLAIN ANALYZE VERBOSE EXECUTE x(1)", .runsCode),
            ("EXPLAIN (ANALYZE, COSTS off) EXECUTE x", .runsCode), ("EXPLAIN (SELECT 1)", []),
            ("EXPLAIN (ANALYZE) SELECT f(1)", .callsUnknown),
            ("EXPLAIN (SELECT f(1)) UNION SELECT 1", .callsUnknown),
            ("EXPLAIN SELECT 1", []), ("CREATE TABLE t AS EXECUTE x", .runsCode),
            ("CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()", []),
            ("COPY t FROM PROGRAM 'x'", .runsCode), ("COPY t (a, b) FROM STDIN", []),
            ("COPY s.t(a) TO STDOUT WITH (FORMAT csv)", []), ("COPY (SELECT f(1)) TO STDOUT", .callsUnknown),
            ("SELECT nextval('s')", .advancesSequences), ("SELECT setval('s', 1)", .advancesSequences),
            ("SELECT currval('s')", .readsSequences), ("SELECT lastval()", .readsSequences),
            (
                "INSERT INTO t (a) VALUES (nextval('s')) RETURNING currval('s')",
                [.advancesSequences, .readsSequences]
            ),
            ("SELECT nextval", []), ("SELECT pg_catalog.NEXTVAL('s')", .advancesSequences),
        ] as [EffectsCase])
    func codeAndSequences(_ text: String, _ expected: StatementEffects) {
        #expect(effects(text) == expected)
    }

    @Test(
        arguments: [
            ("SELECT 1; INSERT INTO t VALUES (1)", .addsRowsBehind),
            ("BEGIN;INSERT INTO t VALUES (1)", .addsRowsBehind),
            ("BEGIN; /* a */ (WITH x AS (SELECT 1) SELECT 1)", .addsRowsBehind),
            ("SELECT 1; SELECT 2; UPDATE t SET a = 1; COMMIT", .addsRowsBehind),
            ("SELECT 1; COPY t FROM STDIN", .addsRowsBehind), ("SELECT 1; COPY t TO STDOUT", []),
            ("SELECT 1; EXPLAIN SELECT 1", []), ("SELECT 1; COPY (SELECT 1) TO STDOUT", []),
            ("SELECT 1; EXPLAIN ANALYZE INSERT INTO t VALUES (1)", .addsRowsBehind),
            ("INSERT INTO t VALUES (1)", []), (";; INSERT INTO t VALUES (1);", []),
            ("/* a; */ INSERT INTO t VALUES (1)", []), ("SELECT 'a; INSERT'; (SELECT 1)", []),
            ("BEGIN; SELECT 1; SAVEPOINT a; SHOW x; COMMIT", []), ("SELECT 1; CREATE TABLE t (id int)", []),
        ] as [EffectsCase])
    func rowsBehindTheFirstStatement(_ text: String, _ expected: StatementEffects) {
        #expect(effects(text) == expected)
    }

    @Test(arguments: [
        ("INSERT INTO t VALUES (1)", true), ("  insert into t values (1)", true),
        ("/* a */ INSERT INTO t VALUES (1)", true), ("WITH x AS (SELECT 1) SELECT 1", true),
        ("UPDATE t SET a = 1", true), ("COPY t FROM STDIN", true),
        ("COPY s.t (a, b) FROM STDIN", true), ("COPY t TO STDOUT", false), ("COPY t (a) TO 'from'", false),
        ("COPY (SELECT 1 FROM t) TO STDOUT", false), ("EXPLAIN INSERT INTO t VALUES (1)", false),
        ("COPY (INSERT INTO t VALUES (1) RETURNING a) TO STDOUT", true), ("COPY \"to\" FROM STDIN", true),
        ("EXPLAIN ANALYZE INSERT INTO t VALUES (1)", true), ("EXPLAIN ANALYZE SELECT 1", false),
        ("EXPLAIN (ANALYZE, COSTS off) INSERT INTO t VALUES (1)", true),
        ("EXPLAIN (VERBOSE) UPDATE t", false),
        ("EXPLAIN ANALYZE VERBOSE UPDATE t SET a = 1", true), ("CHECKPOINT", false),
        ("MERGE INTO t USING u ON true", true),
        ("EXPLAIN SELECT 1", false), ("SELECT 1", false), ("begin", false), ("/* a */ SELECT 1", false),
        (" (SELECT 1)", false), ("ROLLBACK", false), ("COMMIT", false), ("RELEASE a", false),
        ("FETCH c", false), ("DEALLOCATE x", false), ("; SELECT 1", false), ("", false), ("-- a", false),
    ])
    func theFirstStatementMayInsertRows(_ text: String, _ expected: Bool) {
        #expect(RowWriting.mayBegin(utf8(text).span.bytes) == expected)
        #expect(RowWriting.mayBegin(utf8(text) + [0, 0, 0]) == expected)
    }

    @Test(arguments: [
        "SELECT f(1)", "SELECT f (1)", "SELECT f --x\n/*y*/(1)", "SELECT \"f\"(1)", "SELECT s.f(1)",
        "SELECT a.b.f(1)",
        "SELECT s . f (1)", "SELECT public.lower('A')", "SELECT \"Lower\"('A')", "SELECT \"values\"(1)",
        "SELECT pg_catalog.f(1)", "SELECT setseed(0.5)", "SELECT query_to_xml('SELECT 1', true, true, '')",
        "SELECT cursor_to_xml('c', 1, true, true, '')", "SELECT ts_stat('SELECT 1')",
        "SELECT ts_rewrite('a', 'SELECT 1')", "SELECT dblink('a')", "SELECT é(1)", "SELECT fé(1)",
        "SELECT * FROM f(1) AS t (a, b)", "SELECT * FROM t JOIN f(1) ON true",
        "SELECT * FROM a JOIN b ON f(a)",
        "SELECT join(1)", "SELECT a, set(1) FROM t", "SELECT over(1), filter(1)", "SELECT 1 + over(1)",
        "SELECT a[1:f(2)]", "SELECT x FROM t ORDER BY f(x)", "SELECT key(1)", "SELECT ALL key(1)",
        "SELECT a FROM b GROUP BY f(a)",
        "INSERT INTO t VALUES (f(1))", "INSERT INTO t SELECT f(1)", "UPDATE t SET a = f(1)",
        "DELETE FROM t USING f(1)", "WITH x AS (SELECT f(1)) SELECT 1", "VALUES (f(1))",
        "CREATE TABLE t AS SELECT f(1)",
        "CREATE INDEX i ON t (f(a))", "CREATE VIEW v AS SELECT a FROM b JOIN c ON f(a)", "SELECT $$a$$, f(1)",
        "SELECT $x$ $y$ $x$, f(1)", "SELECT 'a''', f(1)", "SELECT '' , f('')", "SELECT E'\\'', f(1)",
        "SELECT E'a\\\\', f(1)", "SELECT \"a\"\"\", f(1)", "SELECT 1 /* /* */ */, f(1)",
        "SELECT 1 --\r, f(1)",
        "SELECT 1-f(1)", "SELECT 1/f(1)", "SELECT U&'a', f(1)", "SELECT B'1', X'F', N'a', f(1)",
        "SELECT a$b$(1)",
        "SELECT $1, f($2)", "SELECT 'a' 'b\\n', f(1)", "SELECT 'a\\b', f(1)", "SELECT 1e5, f(1)",
        "SELECT e'', f(1)",
        "select x from t where a like'b'and f(1)", "SELECT a::f(1), f(1)", "SELECT 1;SELECT f(1)",
        "SELECT é|f(1)", "SELECT set_byte('a', 1, 1), f(1)", "TABLE t; VALUES (f(1))",
    ])
    func whatIsCalledAndNotKnown(_ text: String) {
        #expect(effects(text) == .callsUnknown)
    }

    @Test(arguments: [
        "", " ", ";", " ; ; ", "SELECT", "SELECT 1", "SELECT 1;", "select 1 ;; ", "BEGIN", "COMMIT;", "END",
        "end;",
        "START TRANSACTION ISOLATION LEVEL SERIALIZABLE", "SAVEPOINT a", "RELEASE a", "FETCH ALL FROM c",
        "SHOW all",
        "SELECT abalance FROM pgbench_accounts WHERE aid = 12345;", "SELECT reset, discard, set FROM close",
        "UPDATE pgbench_accounts SET abalance = abalance + -1 WHERE aid = 1;", "SELECT 'RESET ALL'",
        "INSERT INTO pgbench_history (tid, bid, aid, delta, mtime) VALUES (1, 2, 3, 4, CURRENT_TIMESTAMP);",
        "INSERT INTO s.t AS a (b, c) VALUES (1, 2) ON CONFLICT (b) DO UPDATE SET (b, c) = (1, 2)",
        "INSERT INTO \"T\" (a) VALUES (1)", "INSERT INTO \"s\".\"t\"(a) SELECT 1",
        "SELECT count(*), sum(a), max(b) FROM t GROUP BY (c) HAVING (count(*)) > 1 ORDER BY (c), lower(d)",
        "SELECT lower('A'), pg_catalog.upper('b'), \"lower\"('C'), now(), LEFT('a', 1), gen_random_uuid()",
        "SELECT rank() OVER (PARTITION BY (a)), sum(a) FILTER (WHERE b) OVER (w) FROM t",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a) FILTER (WHERE a > (1)) FROM t",
        "SELECT a FROM t JOIN (SELECT 1) AS b USING (a) LEFT JOIN LATERAL (SELECT 2) AS c (d) ON (true)",
        "WITH a (b) AS (SELECT 1), c AS MATERIALIZED (SELECT 2) SELECT * FROM a WHERE b IN (1) AND NOT EXISTS (SELECT 1)",
        "WITH RECURSIVE a (b) AS (SELECT 1 UNION ALL (SELECT b + 1 FROM a)) SELECT CASE WHEN (b) THEN (1) ELSE (2) END FROM a",
        "SELECT a::numeric(10, 2), b::\"T\"(3), c::s.t(1), CAST(d AS varchar(10)), interval(3) '1 day', timestamp(0) '1'",
        "SELECT coalesce(a, nullif(b, 1)), greatest(1, 2), EXTRACT(year FROM b), trim(both FROM c), ARRAY(SELECT 1), ROW(1)",
        "SELECT a FROM t WHERE a = ANY (ARRAY[1]) OR a > ALL(SELECT 1) OR a LIKE ('x') OR a ILIKE ('y') LIMIT (1) OFFSET (2)",
        "SELECT a, b FROM t GROUP BY GROUPING SETS ((a), (b))",
        "SELECT 'f(1)', \"f(\", $$f(1)$$, $a$f(1)$a$ -- f(1)",
        "CREATE TABLE t (a int PRIMARY KEY, b varchar(3) REFERENCES u (c), FOREIGN KEY (b) REFERENCES s.v (d), CHECK (a > 1))",
        "CREATE TABLE IF NOT EXISTS s.t (a int)", "CREATE UNIQUE INDEX i ON s.t (a)",
        "CREATE INDEX ON t USING gin (a)",
        "CREATE INDEX i ON ONLY t (a)",
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS $$ SELECT g(1) $$",
        "CREATE OR REPLACE PROCEDURE s.p(a int) LANGUAGE sql AS 'SELECT g(1)'",
        "CREATE AGGREGATE s.a(int) (SFUNC = f)",
        "CREATE VIEW v (a, b) AS SELECT 1, 2", "(SELECT 1)", "ALTER TABLE t ADD PRIMARY KEY (a)",
        "VACUUM (FULL) t",
        "ANALYZE t", "SELECT * FROM t TABLESAMPLE bernoulli (10)", "LOCK TABLE t",
        "SELECT * FROM unnest(ARRAY[1]) WITH ORDINALITY AS t (a, b)", "SELECT /* f(1) */ 1",
        "SELECT 'a'\n'f(1)'",
        "SELECT information_schema.lower(1)", "MERGE INTO t USING u ON (true)",
        "SELECT /* unterminated f(1)", "SELECT 'unterminated f(1)", "SELECT $$ f(1)", "SELECT \"f(1)",
        "SELECT $a$ f(1) $A$",
    ])
    func whatHasNoEffect(_ text: String) {
        #expect(effects(text) == [])
    }

    @Test(
        arguments: [
            ("SELECT 1; RESET ALL", all),
            ("BEGIN; SET x = 1; SELECT f(1); COMMIT", [.settings, .callsUnknown]),
            ("SELECT ';' ; LISTEN x", [.keeps, .listens]),
            ("SELECT 1;;/**/;LISTEN x; ROLLBACK", [.keeps, .letsGo, .listens]),
            ("SELECT $$;LISTEN x;$$; UNLISTEN x", [.letsGo, .listens]), ("SELECT 1 -- ;LISTEN x\n;", []),
            ("SELECT \";\";SELECT nextval('s')", .advancesSequences),
            ("SET x = 1;RESET y", [.settings, .resets]),
            ("INSERT INTO t VALUES (1); SELECT temp INTO TEMP x", .keeps),
            ("SET ROLE r; RESET ALL", [.settings, .resets, .setsRole]), ("RESET ALL; RESET x", all),
            ("SET ROLE r; RESET ROLE", noRole), ("RESET ROLE; SET ROLE r", [.settings, .resets, .setsRole]),
            ("RESET ROLE; RESET x; SET y = 1", noRole),
            ("DISCARD ALL; SET ROLE r", [.settings, .resets, .setsRole, .letsGo, .deallocates, .listens]),
            ("SET ROLE r; SELECT set_config('role', NULL, false)", noRole),
            ("RESET ALL; SELECT 1", all),
            ("RESET ALL; SET x = 1", [.settings, .resets]),
            ("RESET ALL; SET x = 1; RESET ALL", [.settings, .resets]),
            ("SELECT f(); RESET ALL", [.settings, .resets, .callsUnknown]),
            ("RESET ALL; DO ''", [.settings, .resets, .runsCode, .keeps]),
            ("RESET ALL; SELECT set_config('a', 'b', false)", [.settings, .resets]),
            ("RESET ALL; SELECT set_config('a', 'b', true)", all.union(.setsLocally)),
            ("RESET ALL; CALL p", [.settings, .resets, .runsCode]),
            ("RESET ALL; SELECT 'a\\' || f(1) || '", [.settings, .resets, .runsCode, .keeps]),
            ("DISCARD ALL; SET x = 1", [.settings, .resets, .resetsRole, .letsGo, .deallocates, .listens]),
        ] as [EffectsCase])
    func severalStatementsAddUp(_ text: String, _ expected: StatementEffects) {
        #expect(effects(text) == expected)
    }

    @Test(arguments: [
        "SELECT 'a\\' || f(1) || '", "SELECT 'a\\'; SELECT 1 -- '", "SELECT 'a\\\\', (1)",
        "SELECT 'a\\'' INTO t",
        "SELECT U&'\\' INTO t", "SELECT U&\"a\" INTO t", "SELECT 1 INTO u&\"\\0070g_temp\".t",
        "PREPARE U&\"a\" AS SELECT 1",
    ])
    func whatCannotBeToldForSureMayDoAnything(_ text: String) {
        #expect(effects(text) == unreadable)
    }

    @Test func bytesThatMayBeHalfACharacterAreNoBorders() {
        // In SJIS 0x83 0x7c is one letter: a name of it is called. In UTF-8 the bar is an operator.
        #expect(effects((utf8("SELECT ") + [0x83, 0x7c] + utf8("(1)"))) == .callsUnknown)
        // 0x83 0x5c is one letter, or the backslash escapes the quote.
        let literal = utf8("SELECT E'") + [0x83, 0x5c] + utf8("' , f(1)")
        #expect(effects(literal) == unreadable)
        let tag = utf8("SELECT $") + [0x83, 0x5c] + utf8("$ ' $") + [0x83, 0x5c] + utf8("$ , f(1)")
        #expect(effects(tag) == unreadable)
        let name = utf8("SELECT ") + [0x83, 0x7c] + utf8("$$, f(1), $$")
        #expect(effects(name) == unreadable)
        #expect(effects((utf8("SELECT E'\\\\") + [0x83] + utf8("'"))) == [])
    }
}
