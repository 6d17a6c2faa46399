// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPostgresProtocol

@Suite struct QueryRewritingTests {
    private static func error(at place: String?) -> ErrorFields {
        var bytes: [UInt8] = []
        for (field, text) in [("C", "42601"), ("M", "syntax error"), ("P", place ?? "")] where !text.isEmpty {
            bytes += Array(field.utf8) + Array(text.utf8) + [0]
        }
        return ErrorFields(body: bytes.span.bytes)
    }

    /// `deallocate a; deallocate é; x`, with `"carom_1"` for either name.
    private static func rewriting(isUTF8: Bool) -> QueryRewriting {
        var rewriting = QueryRewriting()
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
