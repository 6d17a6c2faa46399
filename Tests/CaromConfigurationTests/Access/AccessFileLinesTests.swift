// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// Files that are not there.
struct FakeFiles {
    var contents: [String: String]

    var source: ConfigurationSource {
        let contents = contents
        return ConfigurationSource { path in
            contents[path].map { .success(Array($0.utf8)) }
                ?? .failure(ConfigurationReadFailure(reason: "No such file or directory"))
        }
    }
}

@Suite struct AccessFileLinesTests {
    private static func read(_ text: String, _ others: [String: String] = [:]) throws(AccessFileFindings)
        -> AccessFileLines
    {
        let files = FakeFiles(contents: others.merging(["/etc/hba": text]) { $1 })
        return try AccessFileLines(ofFileAt: "/etc/hba", files.source)
    }

    /// The fields of each line, tokens with commas between them and `'` around those that were quoted.
    private static func told(_ text: String, _ others: [String: String] = [:]) throws -> [String] {
        try read(text, others).lines.map { line in
            let fields = line.fields.map { field in
                field.map { $0.isQuoted ? "'\($0.text)'" : $0.text }.joined(separator: ",")
            }
            return "\(line.number): " + fields.joined(separator: " | ")
        }
    }

    @Test(
        "Lines are cut as PostgreSQL cuts them",
        arguments: [
            ("local all all trust", ["1: local | all | all | trust"]),
            ("\n# nothing\n  \nhost\ta b c # d", ["4: host | a | b | c"]),
            ("local a,b , c d", ["1: local | a,b | c | d"]),
            ("local a, b c", ["1: local | a,b | c"]),
            ("local ,,a b", ["1: local | a | b"]),
            ("local \"a b\",c \"#d\"", ["1: local | 'a b',c | '#d'"]),
            ("local \"\" x", ["1: local | '' | x"]),
            ("local \"a\"\"b\" x", ["1: local | 'a\"b' | x"]),
            // A quote in the middle keeps its blanks, and the word is still a keyword.
            ("local a\"b c\"d x", ["1: local | ab cd | x"]),
            ("local \"open x", ["1: local | 'open x'"]),
            ("local a \\\n  b c\nlocal d", ["1: local | a | b | c", "3: local | d"]),
            ("local a \\", ["1: local | a"]),
            ("local a\\\r\nb x\r\n", ["1: local | ab | x"]),
        ])
    func lines(text: String, expected: [String]) throws { #expect(try Self.told(text) == expected) }

    @Test func aFileStandsForItsTokens() throws {
        let told = try Self.told(
            "local @names,x \"@names\" y", ["/etc/names": "a b # c\n\nc,@more", "/etc/more": "d"])
        #expect(told == ["1: local | a,b,c,d,x | '@names' | y"])
        let read = try Self.read("local @dir/names x y", ["/etc/dir/names": "@other", "/etc/dir/other": "a"])
        #expect(read.paths == ["/etc/hba", "/etc/dir/names", "/etc/dir/other"])
        #expect(try Self.told("local @ x") == ["1: local | @ | x"])
    }

    @Test func everythingThatIsWrongIsTold() throws {
        let error = #expect(throws: AccessFileFindings.self) {
            try Self.read("local @gone x\nlocal a b c\nlocal @loop", ["/etc/loop": "@loop"])
        }
        let messages = try #require(error).messages
        #expect(messages.count == 2)
        #expect(messages[0] == "/etc/hba:1: \"/etc/gone\" cannot be read: No such file or directory")
        #expect(messages[1].hasPrefix("/etc/hba:3: in \"/etc/loop\": line 1: in"))
        #expect(messages[1].hasSuffix("more than 10 files inside of each other"))
        let missing = #expect(throws: AccessFileFindings.self) {
            try AccessFileLines(ofFileAt: "/etc/none", FakeFiles(contents: [:]).source)
        }
        #expect(missing?.messages == ["\"/etc/none\" cannot be read: No such file or directory"])
    }
}
