// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import Testing

func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

@Suite struct DigestTests {
    @Test(arguments: [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a"
        ),
    ])
    func md5MatchesRFC1321(text: String, expected: String) throws {
        #expect(try hex(Digest.md5(Array(text.utf8))) == expected)
    }

    @Test(arguments: [
        ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
        ),
    ])
    func sha1MatchesRFC3174(text: String, expected: String) throws {
        #expect(try hex(Digest.sha1(Array(text.utf8))) == expected)
    }

    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func sha256MatchesFIPS180(text: String, expected: String) throws {
        #expect(try hex(Digest.sha256(Array(text.utf8))) == expected)
    }

    @Test(arguments: [
        (
            [UInt8](repeating: 0x0b, count: 20), "Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func hmacMatchesRFC4231(key: [UInt8], text: String, expected: String) throws {
        #expect(try hex(Digest.hmacSHA256(key: key, Array(text.utf8))) == expected)
    }

    @Test func hmacTakesAnEmptyKeyAndNoBytes() throws {
        #expect(
            try hex(Digest.hmacSHA256(key: [], []))
                == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad")
    }

    @Test(arguments: [
        ("password", "salt", 1, "120fb6cffcf8b32c43e7225256c4f837a86548c92ccc35480805987cb70be17b"),
        ("password", "salt", 2, "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43"),
        ("password", "salt", 4096, "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a"),
        ("", "salt", 1, "f135c27993baf98773c5cdb40a5706ce6a345cde61b000a67858650cd6a324d7"),
    ])
    func pbkdf2MatchesPublishedVectors(
        password: String, salt: String, iterations: Int, expected: String
    ) throws {
        let key = try Digest.pbkdf2SHA256(
            password: Array(password.utf8), salt: Array(salt.utf8), iterations: iterations)
        #expect(hex(key) == expected)
    }

    @Test(arguments: [0, -1, Int.max, Int.min]) func impossibleIterationCountsAreErrors(iterations: Int) {
        #expect(throws: TLSError.self) {
            try Digest.pbkdf2SHA256(password: [1], salt: [2], iterations: iterations)
        }
    }

    @Test func pbkdf2TakesAnEmptySalt() throws {
        #expect(try Digest.pbkdf2SHA256(password: [1], salt: [], iterations: 1).count == 32)
    }

    @Test func constantTimeComparisonComparesAllBytesAndTheLength() {
        #expect(Digest.constantTimeEquals([1, 2, 3], [1, 2, 3]))
        #expect(Digest.constantTimeEquals([], []))
        #expect(!Digest.constantTimeEquals([1, 2, 3], [1, 2, 4]))
        #expect(!Digest.constantTimeEquals([1, 2, 3], [1, 2]))
        #expect(!Digest.constantTimeEquals([], [0]))
    }

    @Test func randomBytesDifferFromCallToCall() throws {
        let arrays = try (0..<100).map { _ in try RandomBytes.array(count: 16) }
        #expect(Set(arrays).count == 100)
        #expect(try Set((0..<100).map { _ in try RandomBytes.uint64() }).count == 100)
        #expect(try RandomBytes.array(count: 0).isEmpty)
    }

    @Test func aLargeBufferIsFilledToItsEnd() throws {
        let bytes = try RandomBytes.array(count: (2 << 20) + 17)
        #expect(bytes.suffix(17).contains { $0 != 0 })
        #expect(bytes.prefix(17).contains { $0 != 0 })
    }
}
