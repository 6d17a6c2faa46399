// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPostgresProtocol

@Suite struct PlannedStatementTests {
    @Test(arguments: [
        "select 1", "SELECT", " /* execute */ insert into t values (1) returning a",
        "((select 1) union table t)",
        "With a as (select 1) select * from a", "values(1)", "-- x\nupdate t set a = 1", "delete from t",
        "merge into t using s on true when matched then delete", "table t",
    ])
    func statementsWithAPlanHaveRowsOfOneShape(_ text: String) {
        let isPlanned = PlannedStatement.begins(text.utf8Span.span.bytes)
        #expect(isPlanned)
    }

    @Test(arguments: [
        "", "   ", "execute q", "fetch c", "show all", "explain select 1", "call p()", "selects",
        "\"select\"",
        "begin", ";select 1", "'select'",
    ])
    func othersHaveThoseOfTheMoment(_ text: String) {
        let isPlanned = PlannedStatement.begins(text.utf8Span.span.bytes)
        #expect(!isPlanned)
    }

    @Test(arguments: [
        ("fetch all from c", true), (" /* x */ FETCH c", true), ("move c", false), ("select 'fetch'", false),
        ("fetches", false), ("", false),
    ])
    func aFetchIsKnownByItsFirstWord(_ text: String, _ expected: Bool) {
        let isFetch = PlannedStatement.isFetch(text.utf8Span.span.bytes)
        #expect(isFetch == expected)
    }
}
