// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

private let crypto = TestCryptography()
private let clientNonce = "rOprNGfwEbeRWgbNEkqO"
private let serverNonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
private let whole = clientNonce + serverNonce
private let salt = Base64.decode(utf8("W22ZaJ0SNY7soEsUEjb6gQ=="))!
private let challenge = "r=\(whole),s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
private let proofValue = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
private let proof = "c=biws,r=\(whole),p=\(proofValue)"
private let signature = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
private let verifier = SCRAMVerifier(password: utf8("pencil"), salt: salt, using: crypto)

private func client(
    _ password: String = "pencil", binding: SCRAMClient.Binding = .unsupported, user: String = "user",
    limit: Int = SCRAM.iterationLimit
) -> SCRAMClient {
    SCRAMClient(
        user: user, credential: .password(utf8(password)), binding: binding, nonce: clientNonce,
        iterationLimit: limit)
}

private func server(channelData: [UInt8]? = nil) -> SCRAMServer {
    SCRAMServer(verifier: verifier, channelData: channelData, nonce: serverNonce)
}

private func first(_ message: String, _ mechanism: String = "SCRAM-SHA-256") -> SASLInitialResponse {
    SASLInitialResponse(mechanism: mechanism, data: utf8(message))
}

private let ordinaryFirst = first("n,,n=user,r=\(clientNonce)")

/// Both roles against each other.
private func exchange(
    _ client: inout SCRAMClient, _ server: inout SCRAMServer
) throws(SCRAMError) -> SCRAMServer.Accepted {
    let first = SASLInitialResponse(mechanism: client.mechanism.rawValue, data: client.first)
    let answer = try client.respond(to: try server.challenge(first), using: crypto)
    let accepted = try server.verify(answer, using: crypto)
    try client.finish(accepted.message, using: crypto)
    return accepted
}

@Suite struct SCRAMTests {
    @Test func theClientSpeaksTheExampleOfRFC7677() throws {
        var machine = client()
        #expect(text(machine.first) == "n,,n=user,r=\(clientNonce)")
        let answer = try machine.respond(to: utf8(challenge), using: crypto)
        #expect(text(answer) == proof)
        #expect(!machine.isDone)
        try machine.finish(utf8(signature), using: crypto)
        #expect(machine.isDone)
    }

    @Test func theServerSpeaksTheExampleOfRFC7677() throws {
        var machine = server()
        let question = try machine.challenge(ordinaryFirst)
        #expect(text(question) == challenge)
        let accepted = try machine.verify(utf8(proof), using: crypto)
        #expect(text(accepted.message) == signature)
        #expect(crypto.sha256(accepted.keys.clientKey) == verifier.storedKey)
    }

    @Test(
        arguments: [
            (SCRAMClient.Binding.unsupported, nil), (.unsupported, [1, 2, 3]), (.notOffered, nil),
            (.tlsServerEndPoint([1, 2, 3]), [1, 2, 3]),
        ] as [(SCRAMClient.Binding, [UInt8]?)])
    func bothRolesUnderstandEachOther(_ binding: SCRAMClient.Binding, _ data: [UInt8]?) throws {
        var one = client(binding: binding, user: "a,b=c")
        var two = server(channelData: data)
        _ = try exchange(&one, &two)
        #expect(one.isDone)
    }

    @Test func keysLearntFromOneLoginOpenTheNext() throws {
        var one = client()
        var two = server()
        let keys = try exchange(&one, &two).keys
        var next = SCRAMClient(credential: .keys(SCRAMUserKeys(keys, of: verifier)), nonce: "fresh")
        var other = server()
        let again = try exchange(&next, &other).keys
        #expect(again == keys)
        let stranger = SCRAMVerifier(password: utf8("pencil"), salt: [1, 2, 3], using: crypto)
        next = SCRAMClient(credential: .keys(SCRAMUserKeys(keys, of: verifier)), nonce: "fresh")
        other = SCRAMServer(verifier: stranger, nonce: serverNonce)
        #expect(throws: SCRAMError.keysDoNotFit) { try exchange(&next, &other) }
        // The same salt alone is not enough.
        let slower = SCRAMVerifier(
            password: utf8("pencil"), salt: verifier.salt, iterations: verifier.iterations + 1, using: crypto)
        next = SCRAMClient(credential: .keys(SCRAMUserKeys(keys, of: verifier)), nonce: "fresh")
        other = SCRAMServer(verifier: slower, nonce: serverNonce)
        #expect(throws: SCRAMError.keysDoNotFit) { try exchange(&next, &other) }
    }

    @Test func aWrongPasswordAndAnUnknownUserFailAlike() throws {
        var wrong = client("pen")
        var real = server()
        #expect(throws: SCRAMError.wrongPassword) { try exchange(&wrong, &real) }
        var challenges: [[UInt8]] = []
        for user in ["ghost", "ghost", "other"] {
            var mock = SCRAMServer(mockUser: user, secret: [1, 2, 3], nonce: serverNonce, using: crypto)
            challenges.append(try mock.challenge(ordinaryFirst))
            var one = client()
            let answer = try one.respond(to: challenges.last!, using: crypto)
            #expect(throws: SCRAMError.wrongPassword) { try mock.verify(answer, using: crypto) }
        }
        #expect(challenges[0] == challenges[1] && challenges[0] != challenges[2])
        #expect(challenges[0].count == challenge.utf8.count)
    }

    @Test func theMechanismFollowsTheOffer() throws {
        let both = SCRAMServer.mechanisms(hasChannelData: true)
        #expect(both == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"])
        #expect(SCRAMServer.mechanisms(hasChannelData: false) == ["SCRAM-SHA-256"])
        #expect(try SCRAMClient.binding(offered: both, channelData: [1]) == .tlsServerEndPoint([1]))
        #expect(try SCRAMClient.binding(offered: both, channelData: nil) == .unsupported)
        #expect(try SCRAMClient.binding(offered: ["SCRAM-SHA-256"], channelData: [1]) == .notOffered)
        #expect(throws: SCRAMError.unsupportedMechanism("GSSAPI")) {
            try SCRAMClient.binding(offered: ["GSSAPI"], channelData: nil)
        }
        #expect(SCRAM.nonce(using: crypto).utf8.count == 24)
    }
}

@Suite struct HostileSCRAMTests {
    /// What a malicious server may answer to the first message.
    @Test(arguments: [
        ("", "08P01"), ("x", "08P01"), (",", "08P01"), ("r=", "08P01"), ("s=QQ==,r=\(whole),i=1", "08P01"),
        ("r=\(clientNonce),s=QQ==,i=4096", "08P01"), ("r=other,s=QQ==,i=4096", "08P01"),
        ("r=\(whole) ,s=QQ==,i=1", "08P01"), ("r=\(whole)", "08P01"), ("r=\(whole),s=,i=1", "08P01"),
        ("r=\(whole),s=Q,i=1", "08P01"), ("r=\(whole),s=QQ==", "08P01"), ("r=\(whole),s=QQ==,i=", "08P01"),
        ("r=\(whole),s=QQ==,i=0", "08P01"), ("r=\(whole),s=QQ==,i=-1", "08P01"),
        ("r=\(whole),s=QQ==,i=+1", "08P01"), ("r=\(whole),s=QQ==,i=1x", "08P01"),
        ("r=\(whole),s=QQ==,i=100001", "08P01"), ("r=\(whole),s=QQ==,i=9999999999999999999999", "08P01"),
        ("r=\(whole),s=QQ==,i=2,m=x", "0A000"), ("m=x,r=\(whole),s=QQ==,i=2", "0A000"),
        ("e=other-error", "28P01"), ("r=\(whole),s=QQ==,i=2,", "08P01"),
    ])
    func aHostileChallengeIsRefused(_ message: String, _ state: String) {
        var machine = client()
        let error = #expect(throws: SCRAMError.self) {
            try machine.respond(to: utf8(message), using: crypto)
        }
        #expect(error?.sqlState.description == state && error?.description.isEmpty == false)
    }

    @Test func aNonceOfAMegabyteIsRefused() {
        var machine = client()
        let long = "r=\(clientNonce)\(String(repeating: "A", count: 1 << 20)),s=QQ==,i=4096"
        #expect(throws: SCRAMError.tooLong(long.utf8.count)) {
            try machine.respond(to: utf8(long), using: crypto)
        }
        var other = server()
        #expect(throws: SCRAMError.tooLong(long.utf8.count)) { try other.challenge(first(long)) }
    }

    @Test func iterationsAreLimitedAsConfigured() {
        var machine = client(limit: 4095)
        #expect(throws: SCRAMError.iterationsOutOfRange("4096", limit: 4095)) {
            try machine.respond(to: utf8(challenge), using: crypto)
        }
    }

    @Test(arguments: [
        ("v=AAAA", SCRAMError.wrongServerSignature), ("v=", .wrongServerSignature),
        ("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", .wrongServerSignature),
        ("v=*", .malformed("the server's signature is not base64")),
        ("", .malformed("attribute \"v\" expected at the end")),
        ("e=invalid-proof", .serverError("invalid-proof")), ("\(signature),m=1", .unsupportedExtension),
    ])
    func aServerThatDoesNotKnowThePasswordIsNotBelieved(_ message: String, _ error: SCRAMError) throws {
        var machine = client()
        _ = try machine.respond(to: utf8(challenge), using: crypto)
        #expect(throws: error) { try machine.finish(utf8(message), using: crypto) }
        #expect(!machine.isDone)
    }

    @Test func messagesOutOfTurnAreErrors() throws {
        var machine = client()
        #expect(throws: SCRAMError.outOfTurn) { try machine.finish(utf8(signature), using: crypto) }
        _ = try machine.respond(to: utf8(challenge), using: crypto)
        #expect(throws: SCRAMError.outOfTurn) { try machine.respond(to: utf8(challenge), using: crypto) }
        var other = server()
        #expect(throws: SCRAMError.outOfTurn) { try other.verify(utf8(proof), using: crypto) }
        _ = try other.challenge(ordinaryFirst)
        #expect(throws: SCRAMError.outOfTurn) { try other.challenge(ordinaryFirst) }
        var failed = server()
        _ = try failed.challenge(ordinaryFirst)
        #expect(throws: SCRAMError.self) { try failed.verify(utf8("c=biws"), using: crypto) }
        #expect(throws: SCRAMError.outOfTurn) { try failed.verify(utf8(proof), using: crypto) }
    }

    /// What a malicious client may begin with; `hasData` says whether it came over TLS.
    @Test(arguments: [
        ("SCRAM-SHA-1", "n,,n=,r=x", false, "0A000"),
        ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point,,n=,r=x", false, "0A000"),
        ("SCRAM-SHA-256", "", false, "08P01"), ("SCRAM-SHA-256", "n", false, "08P01"),
        ("SCRAM-SHA-256", "n,", false, "08P01"), ("SCRAM-SHA-256", "n,,", false, "08P01"),
        ("SCRAM-SHA-256", "n,,n=", false, "08P01"), ("SCRAM-SHA-256", "n,,r=x", false, "08P01"),
        ("SCRAM-SHA-256", "n,,n=,r=", false, "08P01"), ("SCRAM-SHA-256", "n,,n=,r=\u{7f}", false, "08P01"),
        ("SCRAM-SHA-256", "n,a=root,n=,r=x", false, "0A000"),
        ("SCRAM-SHA-256", "n,b=root,n=,r=x", false, "08P01"),
        ("SCRAM-SHA-256", "n,,m=x,n=,r=x", false, "0A000"),
        ("SCRAM-SHA-256", "n,,n=,r=x,m=1", false, "0A000"),
        ("SCRAM-SHA-256", "x,,n=,r=x", false, "08P01"), ("SCRAM-SHA-256", "nn,,n=,r=x", false, "08P01"),
        ("SCRAM-SHA-256", ",,n=,r=x", false, "08P01"), ("SCRAM-SHA-256", "y,,n=,r=x", true, "28000"),
        ("SCRAM-SHA-256-PLUS", "y,,n=,r=x", true, "08P01"),
        ("SCRAM-SHA-256-PLUS", "n,,n=,r=x", true, "08P01"),
        ("SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=x", true, "08P01"),
        ("SCRAM-SHA-256-PLUS", "p=tls-unique,,n=,r=x", true, "0A000"),
        ("SCRAM-SHA-256-PLUS", "p,,n=,r=x", true, "08P01"),
    ])
    func aHostileFirstMessageIsRefused(
        _ mechanism: String, _ message: String, _ hasData: Bool, _ state: String
    ) {
        var machine = server(channelData: hasData ? [1, 2, 3] : nil)
        let error = #expect(throws: SCRAMError.self) {
            try machine.challenge(first(message, mechanism))
        }
        #expect(error?.sqlState.description == state && error?.description.isEmpty == false)
    }

    @Test(arguments: [
        ("", "08P01"), ("c=biws", "08P01"), ("c=biws,r=\(clientNonce)", "08P01"),
        ("c=biws,r=\(whole)", "08P01"), ("c=biws,r=\(whole),p=", "08P01"),
        ("c=biws,r=\(whole),p=QQ==", "08P01"), ("c=biws,r=\(whole),p=*", "08P01"),
        ("c=eSws,r=\(whole),p=\(proofValue)", "28000"), ("c=,r=\(whole),p=\(proofValue)", "28000"),
        ("c=*,r=\(whole),p=\(proofValue)", "28000"),
        ("c=biws,r=\(whole),p=A\(proofValue.dropFirst())", "28P01"),
        ("c=biws,r=\(whole),m=x,p=\(proofValue)", "0A000"), ("\(proof),x=1", "08P01"),
        ("r=\(whole),c=biws,p=\(proofValue)", "08P01"),
    ])
    func aHostileProofIsRefused(_ message: String, _ state: String) throws {
        var machine = server()
        _ = try machine.challenge(ordinaryFirst)
        let error = #expect(throws: SCRAMError.self) { try machine.verify(utf8(message), using: crypto) }
        #expect(error?.sqlState.description == state && error?.description.isEmpty == false)
    }

    @Test func anotherChannelIsNoticed() throws {
        var one = client(binding: .tlsServerEndPoint([9, 9]))
        var two = server(channelData: [1, 2, 3])
        #expect(throws: SCRAMError.channelBindingMismatch) { try exchange(&one, &two) }
    }

    @Test(arguments: 1...200)
    func brokenMessagesNeverTrapAndNeverLogIn(_ seed: Int) throws {
        var random = SeededRandom(seed: UInt64(seed))
        func broken(_ message: String) -> [UInt8] {
            var bytes = utf8(message)
            for _ in 0..<2 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] =
                    UInt8.random(in: 0...255, using: &random)
            }
            return Array(bytes.prefix(Int.random(in: 1...bytes.count, using: &random)))
        }
        var one = client(limit: 100)
        _ = try? one.respond(to: broken(challenge), using: crypto)
        var two = server()
        let response = SASLInitialResponse(
            mechanism: "SCRAM-SHA-256", data: broken("n,,n=user,r=\(clientNonce)"))
        _ = try? two.challenge(response)
        var three = server()
        _ = try three.challenge(ordinaryFirst)
        let message = broken(proof)
        if message != utf8(proof) {
            #expect(throws: SCRAMError.self, "seed \(seed)") { try three.verify(message, using: crypto) }
        }
    }
}
