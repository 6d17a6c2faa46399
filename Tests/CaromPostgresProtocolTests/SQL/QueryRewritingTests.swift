// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPostgresProtocol

@Suite struct QueryRewritingTests {
    private static func error(at place: String?, code: String = "42601") -> ErrorFields {
        var bytes: [UInt8] = []
        for (field, text) in [("C", code), ("M", "syntax error"), ("P", place ?? "")] where !text.isEmpty {
            bytes += Array(field.utf8) + Array(text.utf8) + [0]
        }
        return ErrorFields(body: bytes.span.bytes)
    }

    /// `deallocate a; deallocate é; x`, with `"carom_1"` for either name.
    private static func rewriting(isUTF8: Bool) -> QueryRewriting {
        var rewriting = of("deallocate a; deallocate é; x")
        let steps = [
            ("deallocate a", "deallocate \"carom_1\""),
            ("deallocate a; deallocate é", "deallocate \"carom_1\"; deallocate \"carom_1\""),
        ]
        for (client, server) in steps {
            let (client, server) = (Array(client.utf8), Array(server.utf8))
            rewriting.replaced(client.span.bytes, by: server.span.bytes, isUTF8: isUTF8)
        }
        return rewriting
    }

    private static func of(_ text: String) -> QueryRewriting {
        QueryRewriting(of: Deallocations(in: Array(text.utf8).span.bytes))
    }

    /// What `text` has ended when an error comes behind these tags.
    private static func ended(_ text: String, behind tags: [String], _ code: String) -> (Int, all: Bool) {
        var query = of(text)
        for tag in tags { query.completed(Array((tag + "\0").utf8).span.bytes) }
        let all = query.failed(error(at: nil, code: code))
        return (query.deallocated, all)
    }

    @Test(
        "When the commit behind the last statement fails, that statement has run",
        arguments: [
            ("insert; deallocate a", ["INSERT 0 1"], "23505", 1), ("deallocate a;", [], "23503", 1),
            ("deallocate a; deallocate prepare b", ["DEALLOCATE"], "40001", 2),
            ("insert; deallocate a", [], "23505", 0), ("deallocate a; insert", ["DEALLOCATE"], "23505", 1),
            ("insert; deallocate a", ["INSERT 0 1"], "26000", 0), ("deallocate a", [], "25P02", 0),
            ("insert; deallocate a", ["INSERT 0 1"], "57014", 0), ("deallocate a $", [], "42601", 0),
        ])
    func commit(text: String, tags: [String], code: String, deallocated: Int) {
        #expect(Self.ended(text, behind: tags, code) == (deallocated, all: false))
    }

    @Test(
        "A DEALLOCATE ALL whose commit fails has ended all",
        arguments: [
            ("insert; deallocate all;;", ["INSERT 0 1"], "23505", true),
            ("deallocate prepare all", [], "23503", true), ("insert; deallocate all", [], "23505", false),
            ("deallocate all; insert", ["DEALLOCATE ALL"], "23505", false),
            ("insert; deallocate \"all\"", ["INSERT 0 1"], "23505", false),
            ("deallocate all", [], "25P02", false),
        ])
    func commitOfAll(text: String, tags: [String], code: String, ends: Bool) {
        #expect(Self.ended(text, behind: tags, code).all == ends)
    }

    @Test func nothingIsToldOtherwiseIfNothingWasReplaced() {
        #expect(Self.of("deallocate all").corrected(Self.error(at: "5")) == nil)
    }

    @Test(
        "A place behind what was replaced is told as the client has sent it",
        arguments: [
            ("1", "1"), ("12", "12"), ("20", "20"), ("21", "13"), ("23", "15"), ("33", "25"), ("43", "27"),
            ("45", "29"),
        ])
    func places(server: String, client: String) {
        #expect(Self.rewriting(isUTF8: true).corrected(Self.error(at: server)) == Self.error(at: client))
    }

    @Test func whereBytesAreCharactersThoseCount() {
        #expect(
            Self.rewriting(isUTF8: false).corrected(Self.error(at: "45")) == Self.error(at: "30"))
    }

    @Test func anErrorWithoutAPlaceIsLeftAlone() {
        #expect(Self.rewriting(isUTF8: true).corrected(Self.error(at: nil)) == Self.error(at: nil))
        #expect(Self.rewriting(isUTF8: true).corrected(Self.error(at: "x")) == Self.error(at: "x"))
    }
}
