// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPostgres

@Suite struct PostgresQueryTests {
    @Test func valuesBecomeParametersAndTextStaysText() {
        let (name, ids): (String, [Int]) = ("x'; drop table t; --", [1, 2])
        let query: PostgresQuery =
            "select \(7) from t where name = \(name) and id = any(\(ids)) and a is \(nil as Int?)"
        #expect(query.sql == "select $1 from t where name = $2 and id = any($3) and a is $4")
        #expect(query.parameters == [.text("7"), .text(name), .text("{\"1\",\"2\"}"), .null])
    }

    @Test func numbersDoNotGrowTogetherWithTheirNeighbours() {
        let query: PostgresQuery = "select a\(1)2, \(2)\(3), \(4)::int"
        #expect(query.sql == "select a $1 2, $2 $3, $4::int")
    }

    @Test func namesAreQuotedAndQueriesBringTheirValues() {
        let table = "t\" where true; --"
        let part: PostgresQuery = "b = \(2)"
        let query: PostgresQuery =
            "select \(identifier: table) from \(raw: "t") where a = \(1, as: "int") and \(part)"
        #expect(query.sql == "select \"t\"\" where true; --\" from t where a = $1::int and b = $2")
        #expect(query.parameters == [.text("1"), .text("2")])
    }

    @Test(arguments: ["", "{", "}", "{1", "{1,}", "{,1}", "{\"a}", "{\"a\\}", "{{1},{2}}", "{1}}x"])
    func whatIsNoArrayOfOneDimensionIsNone(text: String) {
        #expect(PostgresArrayText.elements(of: Array(text.utf8)) == nil)
    }

    @Test func binaryArraysThatAreCutOffAreNone() {
        let whole: [UInt8] = [
            0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 23, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0, 5,
        ]
        #expect(PostgresArrayText.binaryElements(of: whole)?.values == [[0, 0, 0, 5]])
        for count in whole.indices {
            #expect(PostgresArrayText.binaryElements(of: Array(whole[..<count])) == nil)
        }
        #expect(PostgresArrayText.binaryElements(of: whole + [0]) == nil)
    }
}

extension ServerTests {
    @Suite struct QuerySafetyTests {
        /// What has broken out of texts somewhere.
        static let hostile = [
            "'", "''", "\\'", "'; drop table t; --", "\"; drop table t; --", "$1", "$$; drop table t; $$",
            "\\",
            "' or '1'='1", "1; delete from t", "/*", "*/ drop table t", "\u{27}\u{0a}; drop table t",
            "E'\\x27'",
            "ʼ; drop table t; --", "＇; drop table t; --", "{\"a\",NULL}", "NULL", "\u{feff}'",
            "%27; drop table t",
        ]

        @Test func nothingInAValueOrANameChangesTheStatement() async throws {
            try await withSession { (connection, _) async throws in
                try await connection.execute("create temp table t (a text)")
                try await connection.execute("insert into t values ('kept')")
                for text in Self.hostile {
                    #expect(try await connection.query("select \(text)::text")[0][0].string == text)
                    #expect(
                        try await connection.query("select \([text, text])::text[]")[0][0, as: [String].self]
                            == [
                                text, text,
                            ])
                    #expect(try await connection.query("select a from t where a = \(text)").isEmpty)
                    #expect(try await connection.execute("delete from t where a = \(text)") == 0)
                    let named = try await connection.query("select 1 as \(identifier: text)")
                    #expect(named.columns.map(\.name) == [String(text.prefix(63))])
                    #expect(
                        try await connection.query(sql: "select $1::text", [.text(text)])[0][0].string == text
                    )
                    #expect(
                        try await connection.execute(sql: "delete from t where a = $1", [.text(text)]) == 0)
                }
                #expect(try await connection.query("select a from t").decode(String.self) == ["kept"])
            }
        }

        @Test(arguments: [0, 100]) func noWayIntoTheServerTakesAValueForText(cached statements: Int)
            async throws
        {
            let connector = World.current.connector { $0.statementCacheSize = statements }
            try await withSession(connector) { (connection, _) async throws in
                try await connection.execute("create temp table t (a text)")
                try await connection.execute("insert into t values ('kept')")
                for text in Self.hostile {
                    let name = String(text.prefix(40))
                    for _ in 0..<2 {
                        let found = try await connection.stream("select a from t where a = \(text)") { rows in
                            var count = 0
                            for try await _ in rows { count += 1 }
                            return count
                        }
                        #expect(found == 0)
                        #expect(
                            try await connection.query("select \(text)::text").decode(String.self) == [text])
                    }
                    try await connection.listen(to: name) { notifications in
                        try await connection.execute("select pg_notify(\(name), \(text))")
                        for try await notification in notifications {
                            #expect(notification.channel == name && notification.payload == text)
                            break
                        }
                    }
                    try await connection.execute("create temp table \(identifier: name) (a text)")
                    let line =
                        "\(text.unicodeScalars.filter { $0 != "\\" && $0 != "\n" }.map(String.init).joined())\n"
                    #expect(
                        try await connection.copyIn("copy \(identifier: name) from stdin") {
                            try await $0.write(line)
                        } == 1)
                    let copied = try await connection.copyOut("copy \(identifier: name) to stdout") {
                        var all: [UInt8] = []
                        for try await piece in $0 { all += piece }
                        return all
                    }
                    #expect(String(decoding: copied, as: UTF8.self) == line)
                    #expect(
                        await failure { try await connection.copyIn("copy t from \(text)") { _ in } }.code
                            == .invalidRequest)
                    try await connection.execute("drop table \(identifier: name)")
                }
                #expect(try await connection.query("select a from t").decode(String.self) == ["kept"])
            }
        }

        @Test func aValueWithAZeroByteIsRefusedByTheServerAndChangesNothing() async throws {
            try await withSession { (connection, _) async throws in
                let error = await failure {
                    _ = try await connection.query("select \("a\0; select 2")::text")
                }
                #expect(error.sqlState == "22021")
                #expect(try await connection.query("select 1").decode(Int.self) == [1])
            }
        }

        @Test func severalStatementsRunOnlyWhereThatIsSaid() async throws {
            try await withSession { (connection, _) async throws in
                let error = await failure { _ = try await connection.query("select 1; select 2") }
                #expect(error.sqlState == "42601")
                #expect(try await connection.query(sql: "select 1; select 2")[0][0].int == 2)
            }
        }

        private enum Colour: String, PostgresEncodable, PostgresDecodable { case red, green }

        @Test(arguments: [PostgresFormat.text, .binary]) func valuesComeBackAsTheyWere(format: PostgresFormat)
            async throws
        {
            try await withSession { (connection, _) async throws in
                let options = QueryOptions(format: format)
                let row = try await connection.query(
                    """
                    select \(true)::bool, \(Int16.min)::int2, \(Int32.max)::int4, \(Int64.min)::int8, \(1.5 as Float)::float4,
                    \(-0.1)::float8, \("ü")::text, \([0, 255] as [UInt8])::bytea, \([1, nil, 3] as [Int?])::int[],
                    \(["a,b", "{\\", "NULL", ""])::text[], \(Colour.green)::text, \(nil as Int?)::int, \([] as [Bool])::bool[]
                    """, options: options)[0]
                let values = try row.decode(
                    Bool.self, Int16.self, Int32.self, Int64.self, Float.self, Double.self, String.self,
                    [UInt8].self,
                    [Int?].self, [String].self, Colour.self, Int?.self, [Bool].self)
                #expect(
                    values.0 && values.1 == .min && values.2 == .max && values.3 == .min && values.4 == 1.5)
                #expect(
                    values.5 == -0.1 && values.6 == "ü" && values.7 == [0, 255] && values.8 == [1, nil, 3])
                #expect(values.9 == ["a,b", "{\\", "NULL", ""] && values.10 == .green && values.11 == nil)
                #expect(values.12 == [])
            }
        }

        @Test func whatDoesNotFitIsAnErrorThatSaysSo() async throws {
            try await withSession { (connection, _) async throws in
                let result = try await connection.query("select 40000, 'x'")
                for wrong in [
                    await failure { _ = try result.decode(Int16.self, String.self) },
                    await failure { _ = try result.decode(Int.self) },
                    await failure { _ = try result.decode(Int.self, Colour.self) },
                ] { #expect(wrong.code == .decoding) }
            }
        }

        @Test func aTransactionThatCannotBeSerializedRunsAgain() async throws {
            try await withSession { (connection, _) async throws in
                for code in ["40001", "40P01"] {
                    var tries = 0
                    let answer = try await connection.retryingTransaction {
                        (connection) async throws -> Int in
                        tries += 1
                        if tries < 3 {
                            try await connection.execute(
                                "do \(raw: "$$ begin raise exception using errcode = '\(code)'; end $$")")
                        }
                        return try await connection.query("select 5").decode(Int.self)[0]
                    }
                    #expect(answer == 5 && tries == 3)
                }
                var tries = 0
                let error = await failure {
                    try await connection.retryingTransaction(attempts: 2) { (connection) async throws in
                        tries += 1
                        try await connection.execute(
                            "do \(raw: "$$ begin raise exception using errcode = '40001'; end $$")")
                    }
                }
                #expect(error.sqlState == "40001" && tries == 2 && !connection.isInTransaction)
                let other = await failure {
                    try await connection.retryingTransaction { try await $0.execute("select 1/0") }
                }
                #expect(other.sqlState == "22012")
            }
        }
    }
}
