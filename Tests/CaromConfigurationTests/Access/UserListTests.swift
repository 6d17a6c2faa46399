// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromConfiguration

@Suite struct UserListTests {
    private static let verifier =
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="

    private static func read(_ text: String) throws(UserListError) -> UserList {
        try UserList(Array(text.utf8))
    }

    @Test func everyFormOfSecretIsRead() throws {
        let md5 = "md5a3556571e93b0d20722ba62be61e8c2d"
        let list = try Self.read(
            """
            ; users of the shop
            "bob" "a plain one"
              "ann"\t"\(md5)" "what follows is ignored
            "eve" "\(Self.verifier)"\r

            "nobody" ""
            """)
        #expect(list.users == ["bob", "ann", "eve", "nobody"])
        #expect(list.secrets["bob"] == .plain(Array("a plain one".utf8)))
        #expect(list.secrets["ann"] == .md5(Array(md5.utf8)))
        #expect(list.secrets["eve"] == SCRAMVerifier(Array(Self.verifier.utf8)).map { .scram($0) })
        #expect(list.secrets["nobody"] == .plain([]))
        #expect(list.secrets["stranger"] == nil)
    }

    @Test func aDoubledQuoteIsOne() throws {
        let list = try Self.read("\"o\"\"brien\" \"a\"\"b\"\"\"\n\"\"\"\" \"\\\"")
        #expect(list.secrets["o\"brien"] == .plain(Array("a\"b\"".utf8)))
        #expect(list.secrets["\""] == .plain(Array("\\".utf8)))
    }

    @Test func anEmptyFileKnowsNobody() throws {
        #expect(try Self.read("").users.isEmpty)
        #expect(try Self.read("\n; nobody\n").users.isEmpty)
    }

    private static let broken: [(String, Int, String)] = [
        ("bob secret", 1, "expected the user name in double quotes"),
        ("\"bob\" \"x\"\n\"ann\"", 2, "expected the secret in double quotes"),
        ("\"bob\" \"x\"\n\n; ok\n\"ann\" secret", 4, "expected the secret in double quotes"),
        ("\"bob", 1, "the user name has no closing quote"),
        ("\"bob\" \"secret", 1, "the secret has no closing quote"),
        ("\"bob\" \"secret\"\"", 1, "the secret has no closing quote"),
        ("\"\" \"secret\"", 1, "the user name is empty"),
        ("\"b\0b\" \"secret\"", 1, "the user name has a zero byte"),
        ("\"bob\" \"x\"\n\"bob\" \"secret\"", 2, "a second line for the same user"),
        ("\"\(String(repeating: "b", count: 64))\" \"x\"", 1, "a user name has at most 63 bytes"),
        ("\"bob\" \"\(String(repeating: "b", count: 65_531))\"", 1, "a secret has at most 65530 bytes"),
        ("\"bob\" \"SCRAM-SHA-256$4096:secret\"", 1, "what begins with SCRAM-SHA-256$ is no SCRAM verifier"),
    ]

    @Test(arguments: broken.indices)
    func aBrokenLineIsNamedAndNotRepeated(_ number: Int) {
        let (text, line, message) = Self.broken[number]
        #expect(throws: UserListError(line: line, message: message)) { try Self.read(text) }
        #expect(!message.contains("secret\""))
    }

    @Test func nothingPrintsASecret() throws {
        let list = try Self.read("\"bob\" \"pencil\"")
        var text = "\(list) \(String(reflecting: list))"
        dump(list, to: &text)
        #expect(!text.contains("pencil") && text.contains("1"))
    }
}
