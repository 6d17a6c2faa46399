// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTCP
import Testing

@testable import CaromPostgres

extension ServerTests {
    @Suite struct ParameterTests {
        @Test(arguments: [PostgresFormat.text, .binary])
        func valuesComeBackAsTheyWent(format: PostgresFormat) async throws {
            try await withSession { (connection, _) async throws in
                let options = QueryOptions(format: format)
                let row = try await connection.query(
                    sql: """
                        select $1::int, $2::bigint, $3::smallint, $4::float8, $5::float4, $6::bool, $7::text, $8::bytea,
                               $9::uuid, $10::jsonb, $11::oid, $12::varchar, $13::int
                        """,
                    [
                        .int(-7), .int(.min), 3, .double(0.1), 1.5, true, .text("é'\\\"; --"),
                        .bytes([0, 255, 1]),
                        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", #"{"a": 1}"#, 4_000_000_000, "v", nil,
                    ], options: options)[0]
                #expect(row.columns.allSatisfy { $0.format == format })
                #expect(row[0].int == -7)
                #expect(row[1].int == .min)
                #expect(row[2].int == 3)
                #expect(row[3].double == 0.1)
                #expect(row[4].double == 1.5)
                #expect(row[5].bool == true)
                #expect(row[6].string == "é'\\\"; --")
                #expect(row[7].bytes == [0, 255, 1])
                #expect(row[8].string == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
                #expect(row[9].string == #"{"a": 1}"#)
                #expect(row[10].int == 4_000_000_000)
                #expect(row[11].string == "v")
                #expect(row[12].isNull)
                #expect(row.prefix(12).allSatisfy { !$0.isNull })
            }
        }

        @Test(arguments: [0.1, -0.0, 1e308, .leastNonzeroMagnitude, .infinity, -.infinity])
        func doublesKeepEveryBit(value: Double) async throws {
            try await withSession { (connection, _) async throws in
                for format in [PostgresFormat.text, .binary] {
                    let result = try await connection.query(
                        sql: "select $1::float8", [.double(value)], options: QueryOptions(format: format))
                    #expect(result[0][0].double?.bitPattern == value.bitPattern)
                }
                #expect(
                    try await connection.query(sql: "select $1::float8", [.double(.nan)])[0][0].double?.isNaN
                        == true)
            }
        }

        @Test func aValueInItsWireFormIsPassedOn() async throws {
            try await withSession { (connection, _) async throws in
                let row = try await connection.query(
                    sql: "select $1, $2",
                    [
                        .encoded([0, 0, 1, 0], type: .int4, format: .binary),
                        .encoded(Array("2024-02-29".utf8), type: .date, format: .text),
                    ])[0]
                #expect(row[0].int == 256)
                #expect(row.columns.map(\.type) == [.int4, .date])
                #expect(row[1].string == "2024-02-29")
            }
        }

        @Test func readingsOfBinaryValuesGoByTheType() async throws {
            try await withSession { (connection, _) async throws in
                let row = try await connection.query(
                    sql: "select 1::float8, 2::int8, '12345678'::text, 1.5::numeric, true", [],
                    options: QueryOptions(format: .binary))[0]
                #expect(row.map(\.int) == [nil, 2, nil, nil, nil])
                #expect(row.map(\.double) == [1, 2, nil, nil, nil])
                #expect(row.map(\.bool) == [nil, nil, nil, nil, true])
                #expect(row.map(\.string) == ["1.0", "2", "12345678", nil, "t"])
                #expect(row[3].encoded?.isEmpty == false)
            }
        }

        @Test func aValueOfAnotherTypeIsADecodingErrorThatNamesTheColumn() async throws {
            try await withSession { (connection, _) async throws in
                let row = try await connection.query(sql: "select 'abc' as word, null as nothing")[0]
                let readings: [() throws -> Any] = [
                    { try row["word", as: Int.self] }, { try row["nothing", as: Int.self] },
                    { try row["absent", as: Int?.self] as Any }, { try row[2, as: Int?.self] as Any },
                    { try row["word", as: Double?.self] as Any },
                ]
                for read in readings {
                    let error = await failure { try read() }
                    #expect(error.code == .decoding)
                }
                let error = await failure { try row["word", as: Int.self] }
                #expect(error.message.contains("word") && error.message.contains("Int"))
                #expect(!error.message.contains("abc"))
                #expect(try row["nothing", as: Int?.self] == nil)
            }
        }

        @Test func valuesNeverBecomePartOfTheText() async throws {
            try await withSession { (connection, _) async throws in
                let evil = "'; drop table users; --"
                #expect(
                    try await connection.query(sql: "select $1::text", [.text(evil)])[0][0].string == evil)
            }
        }

        @Test func requestsThatCannotBeSentAreRefusedBeforehand() async throws {
            try await withSession { (connection, _) async throws in
                for request in [
                    { () async throws in _ = try await connection.query(sql: "select 1\0; drop table x") },
                    { () async throws in _ = try await connection.query(sql: "select '\0' || $1", ["x"]) },
                    { () async throws in
                        _ = try await connection.query(
                            sql: "select 1", Array(repeating: .null, count: 70_000))
                    },
                ] {
                    let error = await failure { try await request() }
                    #expect(error.code == .invalidRequest)
                    let isClean = (connection.state.readiness == .idle && connection.output.isEmpty)
                    #expect(isClean)
                }
                let error = await failure { try await connection.query(sql: "select $1::text", ["a\0b"]) }
                #expect(error.sqlState == "22021")
                #expect(try await connection.number("select 1") == 1)
            }
        }
    }
}
