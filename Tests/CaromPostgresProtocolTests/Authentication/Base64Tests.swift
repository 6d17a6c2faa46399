// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

@Suite struct Base64Tests {
    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ])
    func theExamplesOfTheRFC(_ plain: String, _ encoded: String) {
        #expect(Base64.encode(utf8(plain)) == utf8(encoded))
        #expect(Base64.decode(utf8(encoded)) == utf8(plain))
    }

    @Test(arguments: [
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm 9", "Zm9-", "=AAA",
        "A=AA",
    ])
    func whatIsNotExactIsRefused(_ text: String) {
        #expect(Base64.decode(utf8(text)) == nil)
    }

    @Test func anyBytesComeBack() {
        var random = SeededRandom(seed: 4)
        for count in 0..<100 {
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        }
    }
}
