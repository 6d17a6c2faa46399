// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPostgresProtocol

@Suite struct VacatedDatabasesTests {
    private func names(in text: String) -> [String] {
        let bytes = Array(text.utf8)
        return VacatedDatabases.names(in: bytes.span.bytes)
    }

    private func effects(of text: String) -> StatementEffects {
        let bytes = Array(text.utf8)
        return StatementEffects(of: bytes.span.bytes)
    }

    @Test(
        "The database is found in each statement that others must have left it for",
        arguments: [
            ("DROP DATABASE shop", ["shop"]),
            ("drop database if exists Shop;", ["shop"]),
            ("DROP DATABASE \"Shop\" WITH (FORCE)", ["Shop"]),
            ("DROP /* now */ DATABASE \"a\"\"b\"", ["a\"b"]),
            ("ALTER DATABASE shop RENAME TO old", ["shop"]),
            ("alter database shop set tablespace fast", ["shop"]),
            ("CREATE DATABASE shop", ["template1"]),
            ("CREATE DATABASE shop TEMPLATE plain", ["plain"]),
            ("CREATE DATABASE shop WITH OWNER ann TEMPLATE = 'Plain' ENCODING 'UTF8'", ["Plain"]),
            ("CREATE DATABASE shop TEMPLATE DEFAULT", ["template1"]),
            ("CREATE DATABASE template TEMPLATE plain", ["plain"]),
            ("SELECT 1; DROP DATABASE a; DROP DATABASE b", ["a", "b"]),
        ])
    func found(text: String, expected: [String]) {
        #expect(names(in: text) == expected)
        #expect(effects(of: text).contains(.vacatesDatabase))
    }

    @Test(
        "Other statements need no database for themselves",
        arguments: [
            "ALTER DATABASE shop SET work_mem = '1MB'", "ALTER DATABASE shop OWNER TO ann",
            "DROP TABLE database", "CREATE TABLE database (id int)", "SELECT 'DROP DATABASE shop'",
            "-- DROP DATABASE shop", "DROP DATABASE", "ALTER DATABASE",
        ])
    func notFound(text: String) { #expect(names(in: text).isEmpty) }

    @Test("What cannot be cut into tokens names nothing")
    func ambiguous() {
        #expect(names(in: "SELECT 'a\\'; DROP DATABASE shop; --'").isEmpty)
    }
}
