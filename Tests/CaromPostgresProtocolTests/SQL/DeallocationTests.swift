// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

private func deallocation(_ statement: String) -> Deallocation? { Deallocation(utf8(statement).span.bytes) }

@Suite struct DeallocationTests {
    @Test(arguments: [
        ("DEALLOCATE x", "x", "x"), ("deallocate PREPARE Abc ;", "Abc", "abc"),
        ("DEALLOCATE \"Abc\"", "\"Abc\"", "Abc"),
        ("DEALLOCATE \"a\"\"b\"\"\";", "\"a\"\"b\"\"\"", "a\"b\""),
        (" -- a\nDEALLOCATE/**/x/**/;;", "x", "x"),
        ("DEALLOCATE PREPARE", "PREPARE", "prepare"), ("DEALLOCATE prepare;", "prepare", "prepare"),
        ("DEALLOCATE PREPARE prepare", "prepare", "prepare"), ("DEALLOCATE \"all\"", "\"all\"", "all"),
        ("DEALLOCATE a$1é", "a$1é", "a$1é"), ("DEALLOCATE \"é \\\"", "\"é \\\"", "é \\"),
    ])
    func aNameAndWhereItStands(_ statement: String, _ written: String, _ name: String) throws {
        let bytes = utf8(statement)
        let found = try #require(deallocation(statement))
        #expect(text(Array(bytes[found.nameRange])) == written)
        #expect(text(found.name) == name)
    }

    @Test(arguments: [
        "", "DEALLOCATE", "DEALLOCATE;", "DEALLOCATE ALL", "DEALLOCATE PREPARE all", "DEALLOCATE x y",
        "DEALLOCATE x.y",
        "DEALLOCATE x; SELECT 1", "DEALLOCATE x; DEALLOCATE y", "SELECT 1", "DEALLOCATE 'x'",
        "DEALLOCATE \"x",
        "DEALLOCATE \"\"", "DEALLOCATE U&\"x\"", "DEALLOCATE PREPARE x y", "EXPLAIN DEALLOCATE x",
        "DEALLOCATE 1",
        "DEALLOCATE x '\\'", "\"DEALLOCATE\" x", "DEALLOCATE /* x", ";DEALLOCATE $$",
    ])
    func anythingElseIsNone(_ statement: String) {
        #expect(deallocation(statement) == nil)
    }
}
