// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// Lines as PgBouncer reads them.
@Suite struct IniReaderTests {
    private func items(_ text: String) -> [String] {
        let reader = IniReader(text: Array(text.utf8), file: "f", source: .none)
        #expect(reader.findings.diagnostics == [])
        return reader.items.map { item in
            switch item {
            case .section(let name, let at): "\(at.line):\(at.column) [\(name)]"
            case .entry(let entry):
                "\(entry.position.line):\(entry.position.column) <\(entry.key)> \(entry.valuePosition.column) <\(entry.value)>"
            }
        }
    }

    private func findings(_ text: [UInt8]) -> [String] {
        IniReader(text: text, file: "f", source: .none).findings.diagnostics.map(\.description)
    }

    @Test func blanksAndCommentsArePassedOver() {
        #expect(
            items("\u{FEFF}; a\n\n  # b = c\n\t[x]\r\n k = v ; w # z \r\n") == [
                "4:2 [x]", "5:2 <k> 6 <v ; w # z>",
            ])
    }

    @Test func anEntryMayFollowItsSectionInTheSameLine() {
        #expect(
            items("[a] b = c\n[d][e]f=") == [
                "1:1 [a]", "1:5 <b> 9 <c>", "2:1 [d]", "2:4 [e]", "2:7 <f> 9 <>",
            ])
    }

    @Test func namesWithOtherCharactersStandInQuotes() {
        #expect(
            items("\"a b\"=1\n\"x\"\"y\" = 2\n*.a-b_1=3\n\"ä\"==4")
                == ["1:1 <a b> 7 <1>", "2:1 <x\"y> 10 <2>", "3:1 <*.a-b_1> 9 <3>", "4:1 <ä> 5 <=4>"])
    }

    @Test func whatIsNoLineIsReported() {
        #expect(
            findings(Array("[a\nb c\n= d\n\"e = f\n%inc x\n%include\n".utf8) + [0xFF, 10, 0x61, 0, 10]) == [
                "f:1:1: error: the name of the section has no ] behind it",
                "f:2:3: error: expected '=' behind \"b\"\nhint: a comment is a line that begins with ; or #",
                "f:3:1: error: expected a name in front of '='",
                "f:4:1: error: the name that begins here has no closing quote",
                "f:5:1: error: expected %include and a path", "f:6:1: error: expected %include and a path",
                "f:7:1: error: the line is not valid UTF-8", "f:8:1: error: the line has a NUL byte",
            ])
    }

    @Test func includedFilesStandInPlaceOfTheirLine() throws {
        let files = IniFiles(
            "[pgbouncer]\n\(iniAccess)%include etc/more.ini\nb = host=127.0.0.2",
            more: ["etc/more.ini": "default_pool_size = 3\n[databases]\na = host=127.0.0.1\n"])
        let settings = try files.settings
        let sizes = settings.routes.map { ["\($0.pattern)", $0.poolSize.map { "\($0)" } ?? "none"] }
        #expect(sizes == [["a.default", "3"], ["b.default", "3"], ["pgbouncer.default", "none"]])
    }

    @Test func includesEnd() {
        let circle = IniFiles("%include a", more: ["a": "%include ./main.ini"])
        #expect(
            circle.findings.contains(
                "a:1:1: error: %include: \"./main.ini\" includes itself: main.ini → a → main.ini"))
        var chain: [String: String] = [:]
        for number in 0..<20 { chain["f\(number)"] = "%include f\(number + 1)" }
        #expect(
            IniFiles("%include f0", more: chain).findings.contains {
                $0.hasPrefix("f9:1:1: error: %include: \"f10\" is more than 10 includes deep")
            })
        #expect(
            IniFiles("%include x").findings.contains(
                "main.ini:1:1: error: %include: \"x\" cannot be read: no such file"))
    }
}
