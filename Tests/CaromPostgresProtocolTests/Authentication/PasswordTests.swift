// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

private let crypto = TestCryptography()

private func hex(_ bytes: [UInt8]?) -> String {
    (bytes ?? []).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private let storedKeys =
    "$Re014PQMvjpy947TKx84zxP4thInZOYwveQmkn89Df0=:2YUQSljXSy+jWGt+EXEppCjqoHhB8S+EaLcF3jnrq5o="
private let fromPostgreSQL = "SCRAM-SHA-256$4096:1A+9EOnwhCq9t2q/SN9iUw==" + storedKeys

@Suite struct TestCryptographyTests {
    @Test func theAlgorithmsOfTheTestsAreTheRealOnes() {
        #expect(hex(crypto.md5([])) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(hex(crypto.md5(utf8("abc"))) == "900150983cd24fb0d6963f7d28e17f72")
        #expect(
            hex(crypto.sha256(utf8("abc")))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            hex(crypto.hmacSHA256(key: utf8("Jefe"), data: utf8("what do ya want for nothing?")))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(
            hex(crypto.pbkdf2SHA256(password: utf8("password"), salt: utf8("salt"), iterations: 2))
                == "ae4d0c95af6b46d32d0adff928f06dd02a303f8ef3c251dfd6e2d85a95474c43")
    }
}

@Suite struct MD5PasswordTests {
    @Test func hashAndResponseAreWhatPostgreSQLComputes() throws {
        let hash = try #require(MD5Password.hash(user: "ada", password: utf8("secret"), using: crypto))
        #expect(text(hash) == "md52953f29bc314bd0a7ea7ddf6ccc1555f")
        let salt: [UInt8] = [1, 2, 3, 4]
        let response = try #require(MD5Password.response(hash: hash, salt: salt, using: crypto))
        #expect(text(response) == "md5164dbcd37c01a78e869e72965960a754")
        #expect(MD5Password.verify(response: response, hash: hash, salt: salt, using: crypto))
        #expect(!MD5Password.verify(response: response, hash: hash, salt: [1, 2, 3, 5], using: crypto))
        #expect(!MD5Password.verify(response: [], hash: hash, salt: salt, using: crypto))
        #expect(MD5Password.response(hash: utf8("md5short"), salt: [1], using: crypto) == nil)
    }
}

@Suite struct StoredSecretTests {
    @Test func theFormTellsWhatItIs() {
        let hash = "md52953f29bc314bd0a7ea7ddf6ccc1555f"
        #expect(StoredSecret(hash) == .md5(utf8(hash)))
        #expect(StoredSecret("md5") == .plain(utf8("md5")))
        #expect(StoredSecret(hash.uppercased()) == .plain(utf8(hash.uppercased())))
        guard case .scram(let verifier) = StoredSecret(fromPostgreSQL) else {
            Issue.record("a verifier")
            return
        }
        #expect(verifier.iterations == 4096 && text(verifier.encoded) == fromPostgreSQL)
    }

    @Test(arguments: [
        "", "SCRAM-SHA-256", "SCRAM-SHA-256$4096:AAAA", "SCRAM-SHA-256$0:AAAA" + storedKeys,
        "SCRAM-SHA-1$4096:AAAA" + storedKeys, "SCRAM-SHA-256$4096:" + storedKeys,
        "SCRAM-SHA-256$99999999999:AAAA" + storedKeys, "SCRAM-SHA-256$+1:AAAA" + storedKeys,
        "SCRAM-SHA-256$1:AAAA$AAAA:AAAA", "SCRAM-SHA-256$1:AAAA" + storedKeys + "$", fromPostgreSQL + ":",
    ])
    func aBrokenVerifierIsNone(_ text: String) {
        #expect(SCRAMVerifier(utf8(text)) == nil)
        #expect(StoredSecret(text) == .plain(utf8(text)))
    }

    @Test func passwordsMatchEveryForm() throws {
        for secret in [StoredSecret("pencil"), StoredSecret(fromPostgreSQL)] {
            #expect(secret.matches(password: utf8("pencil"), user: "ada", using: crypto))
            #expect(!secret.matches(password: utf8("pen"), user: "ada", using: crypto))
            #expect(!secret.matches(password: [], user: "ada", using: crypto))
        }
        let hash = try #require(MD5Password.hash(user: "ada", password: utf8("pencil"), using: crypto))
        #expect(StoredSecret(hash).matches(password: utf8("pencil"), user: "ada", using: crypto))
        #expect(!StoredSecret(hash).matches(password: utf8("pencil"), user: "bob", using: crypto))
    }

    @Test func anMD5AnswerIsCheckedAgainstWhatCanTell() throws {
        let hash = try #require(MD5Password.hash(user: "ada", password: utf8("pencil"), using: crypto))
        let salt: [UInt8] = [9, 9, 9, 9]
        let response = try #require(MD5Password.response(hash: hash, salt: salt, using: crypto))
        let table = [(StoredSecret(hash), true), (.init("pencil"), true), (.init(fromPostgreSQL), false)]
        for (secret, expected) in table {
            #expect(
                secret.matches(md5Response: response, salt: salt, user: "ada", using: crypto) == expected)
            #expect(!secret.matches(md5Response: response, salt: [9], user: "ada", using: crypto))
        }
    }

    @Test func anEmptyPasswordNeverOpensAnything() throws {
        let nothing = StoredSecret("")
        let response = try #require(
            MD5Password.hash(user: "ada", password: [], using: crypto)
                .flatMap { MD5Password.response(hash: $0, salt: [1, 1, 1, 1], using: crypto) })
        #expect(!nothing.matches(password: [], user: "ada", using: crypto))
        #expect(!nothing.matches(md5Response: response, salt: [1, 1, 1, 1], user: "ada", using: crypto))
        #expect(nothing.verifier(salt: [1], using: crypto) == nil)
    }

    @Test func aVerifierIsComputedAsPostgreSQLDoes() throws {
        let verifier = SCRAMVerifier(password: utf8("pencil"), salt: utf8("0123456789abcdef"), using: crypto)
        #expect(
            text(verifier.encoded)
                == "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$nQpbZ77WudtqufPwikHXGRt6g2QJ4zns8bZLw273DRM="
                + ":jn2amWP1q1h+jgjy0YTO14S6/F02SV7taipOeB7ef20=")
        let salt = verifier.salt
        #expect(StoredSecret("pencil").verifier(salt: salt, using: crypto) == verifier)
        let hash = try #require(MD5Password.hash(user: "ada", password: utf8("pencil"), using: crypto))
        #expect(StoredSecret(hash).verifier(salt: salt, using: crypto) == nil)
    }

    @Test func secretsAreNeverDescribed() throws {
        let keys = SCRAMKeys(clientKey: utf8("hunter2"), serverKey: utf8("hunter2"))
        let verifier = try #require(SCRAMVerifier(utf8(fromPostgreSQL)))
        let secrets: [Any] = [
            StoredSecret("hunter2"), StoredSecret(fromPostgreSQL), keys, verifier,
            SCRAMClient(credential: .password(utf8("hunter2")), nonce: "abc"),
            SCRAMServer(verifier: verifier, nonce: "abc"), SCRAMServer.Accepted(message: [], keys: keys),
            SCRAMClient.Credential.password(utf8("hunter2")),
            SCRAMClient.Credential.keys(SCRAMUserKeys(keys, of: verifier)), SCRAMUserKeys(keys, of: verifier),
        ]
        for secret in secrets {
            var shown = "\(secret) \(String(reflecting: secret)) "
            dump(secret, to: &shown)
            #expect(!shown.contains("hunter2") && !shown.contains("Re014"), "\(type(of: secret))")
            // Bytes, listed one by one: those of the password, and of the verifier's salt.
            for byte in ["104", "212", "187"] { #expect(!shown.contains(byte), "\(type(of: secret))") }
        }
    }
}

@Suite struct SASLPrepTests {
    @Test(arguments: [
        ("pencil", "pencil"), ("with space", "with space"), ("\u{a0}\u{e9}\u{3000}", " \u{e9} "),
        ("p\u{ad}\u{e9}", "p\u{e9}"), ("I\u{ad}X", "IX"), ("\u{2168}", "IX"), ("\u{fb01}n", "fin"),
        ("\u{3131}\u{ff21}", "\u{1100}A"), ("\u{a8}", " \u{308}"),
        // Not in Unicode 3.2: as it is, with everything around it.
        ("\u{1f600}\u{2168}", "\u{1f600}\u{2168}"), ("\u{ad}\u{221}", "\u{ad}\u{221}"),
        // An accent comes together with its letter; comparing needs bytes, since Swift holds both for equal.
        ("e\u{301}", "\u{e9}"),
        // Prohibited, or nothing left: as it is.
        ("tab\t\u{e9}", "tab\t\u{e9}"), ("\u{e000}\u{ad}", "\u{e000}\u{ad}"), ("\u{ad}", "\u{ad}"),
        // Right to left from one end to the other, or as it is.
        ("\u{627}\u{ad}\u{628}", "\u{627}\u{628}"), ("\u{627}\u{ad}1", "\u{627}\u{ad}1"),
        ("\u{627}a\u{ad}\u{628}", "\u{627}a\u{ad}\u{628}"),
    ])
    func aPasswordIsMappedOrLeftAsItIs(_ password: String, _ expected: String) {
        #expect(SASLPrep.prepare(utf8(password)) == utf8(expected))
    }

    @Test func whatIsNotTextStaysAsItIs() {
        #expect(SASLPrep.prepare([0xff, 0xc2]) == [0xff, 0xc2])
    }

    /// The verifier is PostgreSQL's for this password: no-break space, soft hyphen and an accented letter.
    @Test func mappingAgreesWithPostgreSQL() throws {
        let verifier = try #require(
            SCRAMVerifier(
                utf8(
                    "SCRAM-SHA-256$4096:mn7dBvD/OaluCRiy4IMvqA==$OFEuL7LVkJdye47gVBatpivH5pX6xoHkdcFQ4Z2NDwE="
                        + ":H0i32ETcASzLJ+K7d1lOuGiEirWA8IGAddjJjqMjV+0=")))
        #expect(verifier.matches(password: utf8("\u{a0}pa\u{ad}ss\u{e9}"), using: crypto))
        #expect(verifier.matches(password: utf8(" pass\u{e9}"), using: crypto))
        #expect(!verifier.matches(password: utf8(" passe"), using: crypto))
    }
}
