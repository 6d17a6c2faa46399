// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTestSupport
import Testing

@testable import CaromTop

@Suite struct TerminalTests {
    @Test(
        arguments: [
            ("q", [.character("q")]), ("\t", [.tab]), ("\u{1B}[Z", [.backTab]),
            ("\u{1B}[A\u{1B}[B", [.up, .down]),
            ("\u{1B}OC\u{1B}OD", [.right, .left]), ("\r", [.enter]), ("\u{3}", [.interrupt]),
            ("é", [.character("é")]),
            ("\u{1B}[1;5A", [.up]), ("\u{1B}[15~x", [.character("x")]),
            ("\u{1B}q", [.escape, .character("q")]),
            ("\u{1}", []),
        ] as [(String, [Key])])
    func keysAreRead(_ text: String, _ keys: [Key]) {
        var whole = KeyParser()
        #expect(whole.parse(text.utf8) == keys)
        var pieces = KeyParser()
        #expect(text.utf8.flatMap { pieces.parse([$0]) } == keys)
    }

    @Test func anEscapeThatStandsAloneIsTheKey() {
        var parser = KeyParser()
        #expect(parser.parse([0x1B]) == [])
        #expect(parser.pause() == [.escape])
        #expect(parser.pause() == [])
    }

    @Test func anyBytesAreTaken() {
        var random = SeededRandom.printed(for: "the keys")
        var parser = KeyParser()
        for _ in 0..<10_000 { _ = parser.parse([UInt8.random(in: 0 ... .max, using: &random)]) }
        // Whatever came before: these end every sequence.
        _ = parser.parse(Array("mm".utf8))
        #expect(parser.parse(Array("q".utf8)) == [.character("q")])
    }

    @Test func aSparklineShowsTheNewestAtTheRight() {
        #expect(Sparkline.draw([0, 1, 2, 7], width: 6) == "  ▁▂▃█")
        #expect(Sparkline.draw([5, 0, 10], width: 2) == "▁█")
        #expect(Sparkline.draw([5], width: 1, top: 10) == "▅")
        #expect(Sparkline.draw([], width: 3) == "   ")
        #expect(Sparkline.draw([.nan, 0], width: 2).count == 2)
    }

    @Test func aLineIsCutByWhatIsSeen() {
        #expect(Screen.cut("\u{1B}[1mabc\u{1B}[0m", to: 2) == "\u{1B}[1mab\u{1B}[0m")
        #expect(Screen.cut("abc", to: 5) == "abc")
    }

    @Test func columnsAreAsWideAsTheirWidestCell() {
        var table = TextTable([.init("NAME", .left), .init("N")])
        table.add(["a", "1000"])
        table.add(["longer", "1"])
        #expect(table.lines == ["NAME       N", "a       1000", "longer     1"])
    }
}
