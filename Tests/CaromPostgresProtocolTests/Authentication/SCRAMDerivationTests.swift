// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

private let crypto = TestCryptography()

/// The long computation as a step of its own.
@Suite struct SCRAMDerivationTests {
    private let challenge = utf8("r=abcdef,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=8")

    @Test func theClientAsksForItsKeysAndIsGivenThem() throws {
        var client = SCRAMClient(credential: .password(utf8("pencil")), nonce: "abc")
        let derivation = try #require(try client.receive(challenge))
        #expect(derivation.iterations == 8 && derivation.password == utf8("pencil"))
        #expect(derivation.salt == Base64.decode(utf8("W22ZaJ0SNY7soEsUEjb6gQ==")))
        let answer = try client.respond(with: derivation.keys(using: crypto), using: crypto)
        var other = SCRAMClient(credential: .password(utf8("pencil")), nonce: "abc")
        #expect(answer == (try other.respond(to: challenge, using: crypto)))
    }

    @Test func nothingHappensOutOfTurn() throws {
        let keys = SCRAMKeys(clientKey: [1], serverKey: [2])
        var client = SCRAMClient(credential: .password(utf8("pencil")), nonce: "abc")
        #expect(throws: SCRAMError.outOfTurn) { try client.respond(with: keys, using: crypto) }
        #expect(throws: SCRAMError.outOfTurn) { try client.finish(utf8("v=AAAA"), using: crypto) }
        let wanted = try client.receive(challenge)
        #expect(throws: SCRAMError.outOfTurn) { try client.receive(challenge) }
        #expect(throws: SCRAMError.outOfTurn) { try client.respond(with: nil, using: crypto) }
        #expect(!client.isDone)
        let derivation = try #require(wanted)
        let userKeys = SCRAMUserKeys(keys, salt: derivation.salt, iterations: derivation.iterations)
        var known = SCRAMClient(credential: .keys(userKeys), nonce: "abc")
        #expect(try known.receive(challenge) == nil)
        #expect(throws: SCRAMError.outOfTurn) { try known.respond(with: keys, using: crypto) }
    }

    @Test func noTwoDerivationsHaveOneName() {
        let secret = utf8("secret")
        let derivations = [
            SCRAMKeyDerivation(password: utf8("a"), salt: utf8("bc"), iterations: 1),
            SCRAMKeyDerivation(password: utf8("ab"), salt: utf8("c"), iterations: 1),
            SCRAMKeyDerivation(password: utf8("a"), salt: utf8("bc"), iterations: 11),
            SCRAMKeyDerivation(password: utf8("a"), salt: utf8("bc1"), iterations: 1),
        ]
        let names = derivations.map { $0.name(under: secret, using: crypto) }
        #expect(Set(names).count == names.count)
        #expect(names[0] == derivations[0].name(under: secret, using: crypto))
        #expect(names[0] != derivations[0].name(under: utf8("other"), using: crypto))
    }

    @Test func nothingOfAPasswordIsDescribed() {
        let derivation = SCRAMKeyDerivation(password: utf8("hunter2"), salt: [1], iterations: 3)
        var dumped = ""
        dump(derivation, to: &dumped)
        #expect(!"\(derivation)\(String(reflecting: derivation))\(dumped)".contains("hunter2"))
    }
}
