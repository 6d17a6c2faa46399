// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

struct WireReaderTests {
    // Texts are looked through eight bytes at a time.
    @Test(arguments: [UInt8(0x01), 0x7f, 0x80, 0x81, 0xff])
    func aTextEndsAtItsFirstZeroWhereverThatIs(letter: UInt8) throws {
        for start in 0..<9 {
            for count in 0..<26 {
                let before = [UInt8](repeating: 0, count: start)
                let text = [UInt8](repeating: letter, count: count)
                for behind in [[], [0], [letter], [0, letter, 0, 1, 1, 1, 1, 1, 1]] as [[UInt8]] {
                    let bytes = before + text + [0] + behind
                    var reader = WireReader(bytes.span.bytes)
                    for _ in 0..<start { #expect(try reader.readText().isEmpty) }
                    #expect(try reader.readText() == start..<(start + count))
                }
            }
        }
    }

    @Test func aTextWithoutAnEndIsAnError() {
        for count in 0..<26 {
            let bytes = [UInt8](repeating: 0x80, count: count)
            #expect(throws: WireError.missingTerminator) {
                var reader = WireReader(bytes.span.bytes)
                _ = try reader.readText()
            }
        }
    }
}
