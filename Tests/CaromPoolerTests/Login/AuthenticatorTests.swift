// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import Testing

@testable import CaromPooler

private let cryptography = OpenSSLCryptography()
private let user = "bob"
private let password = "s3cret é".bytes
private let mockSecret = Array(repeating: UInt8(7), count: 32)

/// What a route may know about the password, in every form, and nothing.
private enum Knowledge: String, CaseIterable, CustomTestStringConvertible {
    case plain, md5, scram, nothing

    var testDescription: String { rawValue }

    /// As a configuration has it.
    var secret: Secret? {
        switch self {
        case .plain: Secret(text(password))
        case .md5:
            MD5Password.hash(user: user, password: password, using: cryptography).map { Secret(text($0)) }
        case .scram: Secret(text(Self.verifier.encoded))
        case .nothing: nil
        }
    }

    var stored: StoredSecret? { (secret?.reveal()).map { StoredSecret($0) } }

    static let verifier = SCRAMVerifier(password: password, salt: [9, 8, 7, 6], using: cryptography)
}

@Suite struct PasswordAuthenticatorTests {
    // MARK: Clear text

    @Test(arguments: Knowledge.allCases, [password, "wrong".bytes, password + [32], []])
    private func onlyThePasswordItselfLetsAClientIn(_ knowledge: Knowledge, _ typed: [UInt8]) throws {
        var authenticator = ClearTextAuthenticator(
            secret: knowledge.stored, user: user, cryptography: cryptography)
        #expect(authenticator.begin() == .cleartextPassword)
        let isRight = typed == password && knowledge != .nothing
        var step = try authenticator.receive(typed + [0])
        if knowledge == .scram, !typed.isEmpty {
            // Hashing is left to whoever has the time.
            let wanted = Knowledge.verifier.derivation(of: typed)
            #expect(step == .derive(wanted))
            step = authenticator.receive(wanted.keys(using: cryptography))
        }
        #expect(step == (isRight ? .accepted(nil) : .refused))
    }

    @Test func keysThatNobodyAskedForLetNobodyIn() {
        let keys = Knowledge.verifier.derivation(of: password).keys(using: cryptography)
        for knowledge in [Knowledge.plain, .md5, .nothing] {
            var clear = ClearTextAuthenticator(
                secret: knowledge.stored, user: user, cryptography: cryptography)
            #expect(clear.receive(keys) == .refused)
        }
        let hashed = MD5Authenticator(
            secret: Knowledge.scram.stored, user: user, cryptography: cryptography)
        #expect(hashed.receive(keys) == .refused)
    }

    private static let malformed: [[UInt8]] = [[], password, password + [0, 0], [0] + password + [0]]

    @Test(arguments: malformed)
    func anAnswerThatIsNoTextBreaksTheProtocol(_ body: [UInt8]) throws {
        var clear: any Authenticator = ClearTextAuthenticator(
            secret: Knowledge.plain.stored, user: user, cryptography: cryptography)
        #expect(refusal(of: body, by: &clear)?.code == .protocolViolation)
        var hashed: any Authenticator = MD5Authenticator(
            secret: Knowledge.plain.stored, user: user, cryptography: cryptography)
        #expect(refusal(of: body, by: &hashed)?.code == .protocolViolation)
    }

    // MARK: MD5

    private static func response(_ password: [UInt8], user: String, salt: [UInt8]) throws -> [UInt8] {
        let hash = try #require(MD5Password.hash(user: user, password: password, using: cryptography))
        return try #require(MD5Password.response(hash: hash, salt: salt, using: cryptography))
    }

    private static func salt(of authenticator: MD5Authenticator) throws -> [UInt8] {
        guard case .md5Password(let salt) = authenticator.begin() else {
            Issue.record("it asks for something else")
            return []
        }
        return salt
    }

    @Test(arguments: Knowledge.allCases)
    private func onlyTheResponseToItsOwnSaltLetsAClientIn(_ knowledge: Knowledge) throws {
        let authenticator = MD5Authenticator(
            secret: knowledge.stored, user: user, cryptography: cryptography)
        let salt = try Self.salt(of: authenticator)
        #expect(salt.count == 4)
        let right = try Self.response(password, user: user, salt: salt)
        let canTell = knowledge == .plain || knowledge == .md5
        #expect(try authenticator.receive(right + [0]) == (canTell ? .accepted(nil) : .refused))
        let wrong = [
            try Self.response("wrong".bytes, user: user, salt: salt),
            try Self.response(password, user: "eve", salt: salt),
            try Self.response(password, user: user, salt: salt.map { ~$0 }),
            password, [], Array(right.dropLast()), text(right).uppercased().bytes,
        ]
        for answer in wrong { #expect(try authenticator.receive(answer + [0]) == .refused) }
    }

    @Test func everyClientGetsAnotherSalt() throws {
        let salts = try (0..<8).map { _ in
            try Self.salt(of: MD5Authenticator(secret: nil, user: user, cryptography: cryptography))
        }
        #expect(Set(salts).count > 1)
    }
}

@Suite struct SCRAMAuthenticatorTests {
    private static func authenticator(
        verifier: SCRAMVerifier?, user: String = user, channelData: [UInt8]? = nil
    ) -> SCRAMAuthenticator {
        SCRAMAuthenticator(
            verifier: verifier, user: user, channelData: channelData, mockSecret: mockSecret,
            cryptography: cryptography)
    }

    private static func initial(_ data: [UInt8]?, mechanism: String = "SCRAM-SHA-256") -> [UInt8] {
        var message: [UInt8] = []
        SASLInitialResponse(mechanism: mechanism, data: data).encode(into: &message)
        return Array(message[Framing.headerSize...])
    }

    /// What the server says to the client's first message.
    private static func challenge(
        _ authenticator: inout SCRAMAuthenticator, _ client: SCRAMClient
    ) throws -> [UInt8] {
        let step = try authenticator.receive(initial(client.first))
        guard case .ask(.saslContinue(let challenge)) = step else {
            Issue.record("no challenge but \(step)")
            return []
        }
        return challenge
    }

    private static func client(_ password: [UInt8], binding: SCRAMClient.Binding = .unsupported)
        -> SCRAMClient
    {
        SCRAMClient(
            credential: .password(password), binding: binding, nonce: SCRAM.nonce(using: cryptography))
    }

    /// `s=` and `i=` of a challenge.
    private static func saltAndRounds(_ challenge: [UInt8]) -> [Substring] {
        Array(text(challenge).split(separator: ",").dropFirst())
    }

    @Test(arguments: [SCRAMClient.Binding.unsupported, .notOffered])
    func aClientWithTheRightPasswordAndItsServerProveThemselves(_ binding: SCRAMClient.Binding) throws {
        var authenticator = Self.authenticator(verifier: Knowledge.verifier)
        #expect(authenticator.begin() == .sasl(mechanisms: ["SCRAM-SHA-256"]))
        var client = Self.client(password, binding: binding)
        let challenge = try Self.challenge(&authenticator, client)
        let proof = try client.respond(to: challenge, using: cryptography)
        let step = try authenticator.receive(proof)
        guard case .accepted(.saslFinal(let last)?) = step else {
            Issue.record("the client is not let in but \(step)")
            return
        }
        try client.finish(last, using: cryptography)
        #expect(client.isDone)
    }

    /// The keys that a client has shown to know open servers with the same verifier.
    @Test(arguments: [true, false])
    func theKeysOfAClientArePassedOnWhereServersNeedThem(_ passesKeys: Bool) throws {
        let keys = SCRAMUserKeys(
            Knowledge.verifier.derivation(of: password).keys(using: cryptography), of: Knowledge.verifier)
        var authenticator = SCRAMAuthenticator(
            verifier: Knowledge.verifier, user: user, channelData: nil, mockSecret: mockSecret,
            passesKeys: passesKeys, cryptography: cryptography)
        var client = Self.client(password)
        let proof = try client.respond(
            to: try Self.challenge(&authenticator, client), using: cryptography)
        #expect(authenticator.passedKeys == nil)
        _ = try authenticator.receive(proof)
        #expect(authenticator.passedKeys == (passesKeys ? keys : nil))
        var clear = ClearTextAuthenticator(
            secret: Knowledge.scram.stored, user: user, passesKeys: passesKeys, cryptography: cryptography)
        _ = try clear.receive(password + [0])
        #expect(clear.receive(keys.keys) == .accepted(nil))
        #expect(clear.passedKeys == (passesKeys ? keys : nil))
    }

    @Test func aClientThatIsRefusedHasShownNothing() throws {
        var authenticator = SCRAMAuthenticator(
            verifier: Knowledge.verifier, user: user, channelData: nil, mockSecret: mockSecret,
            passesKeys: true, cryptography: cryptography)
        var client = Self.client("wrong".bytes)
        let proof = try client.respond(
            to: try Self.challenge(&authenticator, client), using: cryptography)
        #expect(try authenticator.receive(proof) == .refused)
        #expect(authenticator.passedKeys == nil)
    }

    @Test(arguments: ["wrong".bytes, password + [32], []])
    func aClientWithAnotherPasswordIsRefused(_ typed: [UInt8]) throws {
        var authenticator = Self.authenticator(verifier: Knowledge.verifier)
        var client = Self.client(typed)
        let challenge = try Self.challenge(&authenticator, client)
        let proof = try client.respond(to: challenge, using: cryptography)
        #expect(try authenticator.receive(proof) == .refused)
    }

    /// Neither the messages nor their order tell the client that there is nothing to check it against.
    @Test func aClientOfARouteWithoutAVerifierGoesThroughTheSameExchange() throws {
        var known = Self.authenticator(verifier: Knowledge.verifier)
        var unknown = Self.authenticator(verifier: nil)
        #expect(unknown.begin() == known.begin())
        var client = Self.client(password)
        let challenge = try Self.challenge(&unknown, client)
        let real = try Self.challenge(&known, client)
        #expect(Self.saltAndRounds(challenge).last == Self.saltAndRounds(real).last)
        let proof = try client.respond(to: challenge, using: cryptography)
        #expect(try unknown.receive(proof) == .refused)
    }

    @Test func theMadeUpSaltIsAlwaysTheSameForAUser() throws {
        var salts: [String: Set<Substring>] = [:]
        for user in ["bob", "eve", "bob", "eve"] {
            var authenticator = Self.authenticator(verifier: nil, user: user)
            let challenge = try Self.challenge(&authenticator, Self.client(password))
            salts[user, default: []].insert(try #require(Self.saltAndRounds(challenge).first))
        }
        #expect(salts["bob"]?.count == 1 && salts["eve"]?.count == 1 && salts["bob"] != salts["eve"])
    }

    @Test func everyClientGetsAnotherChallenge() throws {
        let client = Self.client(password)
        let challenges = try (0..<2).map { _ in
            var authenticator = Self.authenticator(verifier: Knowledge.verifier)
            return try Self.challenge(&authenticator, client)
        }
        #expect(challenges[0] != challenges[1])
    }

    @Test func aThirdMessageIsOneTooMany() throws {
        var authenticator = Self.authenticator(verifier: Knowledge.verifier)
        var client = Self.client(password)
        let challenge = try Self.challenge(&authenticator, client)
        let proof = try client.respond(to: challenge, using: cryptography)
        _ = try authenticator.receive(proof)
        var erased: any Authenticator = authenticator
        #expect(refusal(of: proof, by: &erased)?.code == .protocolViolation)
    }

    // MARK: Channel binding

    private static let channel: [UInt8] = Array(1...32)

    /// What becomes of a client with the right password over TLS.
    private static func verdict(
        _ verifier: SCRAMVerifier?, _ binding: SCRAMClient.Binding
    ) throws -> AuthenticationStep {
        var authenticator = authenticator(verifier: verifier, channelData: channel)
        #expect(authenticator.begin() == .sasl(mechanisms: ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]))
        var client = client(password, binding: binding)
        let first = initial(client.first, mechanism: client.mechanism.rawValue)
        guard case .ask(.saslContinue(let challenge)) = try authenticator.receive(first) else {
            Issue.record("no challenge")
            return .refused
        }
        return try authenticator.receive(try client.respond(to: challenge, using: cryptography))
    }

    @Test(arguments: [SCRAMClient.Binding.tlsServerEndPoint(channel), .unsupported])
    func underTLSAClientMayBindToTheChannel(_ binding: SCRAMClient.Binding) throws {
        guard case .accepted = try Self.verdict(Knowledge.verifier, binding) else {
            Issue.record("the client is not let in")
            return
        }
        #expect(try Self.verdict(nil, binding) == .refused)
    }

    /// Somebody in between has another certificate, and so the client another channel.
    @Test(arguments: [Knowledge.verifier, nil])
    func aClientThatIsBoundToAnotherChannelIsRefused(_ verifier: SCRAMVerifier?) {
        for other in [Array(Self.channel.reversed()), Array(Self.channel.dropLast()), []] {
            #expect(
                throws: SessionEnd.fatal(
                    .invalidAuthorization, "SCRAM authentication failed: SCRAM channel binding check failed")
            ) { try Self.verdict(verifier, .tlsServerEndPoint(other)) }
        }
    }

    /// Somebody in between has struck the offer of channel binding out.
    @Test(arguments: [Knowledge.verifier, nil])
    func aClientThatBelievesThereIsNoChannelBindingIsRefused(_ verifier: SCRAMVerifier?) {
        var authenticator: any Authenticator = Self.authenticator(
            verifier: verifier, channelData: Self.channel)
        let first = Self.initial("y,,n=,r=abc".bytes)
        #expect(refusal(of: first, by: &authenticator)?.code == .invalidAuthorization)
    }

    private static let badBeginnings: [(String, [UInt8], SQLState)] = [
        ("nothing", [], .protocolViolation),
        ("a password", password + [0], .protocolViolation),
        ("another mechanism", initial("n,,n=,r=abc".bytes, mechanism: "SCRAM-SHA-1"), .featureNotSupported),
        (
            "channel binding without TLS",
            initial("p=tls-server-end-point,,n=,r=abc".bytes, mechanism: "SCRAM-SHA-256-PLUS"),
            .featureNotSupported
        ),
        ("channel binding under the wrong name", initial("p=tls-unique,,n=,r=abc".bytes), .protocolViolation),
        ("no first message", initial(nil), .protocolViolation),
        ("an empty first message", initial([]), .protocolViolation),
        ("bytes behind the message", initial("n,,n=,r=abc".bytes) + [0], .protocolViolation),
        ("a message cut off", Array(initial("n,,n=,r=abc".bytes).dropLast()), .protocolViolation),
        ("no header", initial("n=,r=abc".bytes), .protocolViolation),
        ("no nonce", initial("n,,n=".bytes), .protocolViolation),
        ("an empty nonce", initial("n,,n=,r=".bytes), .protocolViolation),
        ("a nonce that does not print", initial("n,,n=,r=a\u{1}".bytes), .protocolViolation),
        ("another's identity", initial("n,a=eve,n=,r=abc".bytes), .featureNotSupported),
        ("an extension that must be known", initial("n,,m=x,n=,r=abc".bytes), .featureNotSupported),
        (
            "a nonce of 5,000 bytes", initial("n,,n=,r=".bytes + Array(repeating: 0x61, count: 5_000)),
            .protocolViolation
        ),
    ]

    @Test(arguments: badBeginnings.indices, [Knowledge.verifier, nil])
    func aFirstMessageThatIsNoneIsRefusedWithACode(_ number: Int, _ verifier: SCRAMVerifier?) {
        let (name, body, code) = Self.badBeginnings[number]
        var authenticator: any Authenticator = Self.authenticator(verifier: verifier)
        #expect(refusal(of: body, by: &authenticator)?.code == code, "\(name)")
    }

    private static let badProofs: [(String, @Sendable (String) -> String, SQLState)] = [
        ("nothing", { _ in "" }, .protocolViolation),
        ("no proof", { String($0.prefix { $0 != "p" }.dropLast()) }, .protocolViolation),
        ("a proof cut off", { String($0.dropLast(4)) }, .protocolViolation),
        ("a proof that is not the last", { $0 + ",x=1" }, .protocolViolation),
        ("another nonce", { $0.replacing(",r=", with: ",r=x") }, .protocolViolation),
        ("another channel", { $0.replacing("c=biws", with: "c=eSws") }, .invalidAuthorization),
        ("an extension that must be known", { $0.replacing(",p=", with: ",m=x,p=") }, .featureNotSupported),
        (
            "5,000 bytes", { $0.replacing(",p=", with: ",x=\(String(repeating: "a", count: 5_000)),p=") },
            .protocolViolation
        ),
    ]

    @Test(arguments: badProofs.indices, [Knowledge.verifier, nil])
    func aProofThatIsNoneIsRefusedWithACode(_ number: Int, _ verifier: SCRAMVerifier?) throws {
        let (name, spoil, code) = Self.badProofs[number]
        var authenticator = Self.authenticator(verifier: verifier)
        var client = Self.client(password)
        let challenge = try Self.challenge(&authenticator, client)
        let proof = text(try client.respond(to: challenge, using: cryptography))
        let spoilt = spoil(proof)
        #expect(spoilt != proof, "\(name)")
        var erased: any Authenticator = authenticator
        #expect(refusal(of: spoilt.bytes, by: &erased)?.code == code, "\(name)")
    }
}

/// Which authenticator a route has.
@Suite struct RouteAuthenticationTests {
    private static let startup = StartupMessage(user: user, database: "shop")

    private static func definition(
        _ method: AuthenticationMethod, _ secret: Secret?, commonNames: [String] = []
    ) -> ClientAuthentication {
        var settings = RouteSettings(pattern: RoutePattern(database: .anything, user: .anything))
        settings.authentication = method
        settings.commonNames = commonNames
        settings.password = secret
        return ClientAuthentication(
            settings, previous: nil, mockSecret: mockSecret, cryptography: cryptography)
    }

    private static func authenticator(
        _ method: AuthenticationMethod, _ knowledge: Knowledge
    ) throws -> (any Authenticator)? {
        try definition(method, knowledge.secret).authenticator(
            for: startup, over: nil, mockSecret: mockSecret, using: cryptography)
    }

    private static func isLetIn(showing name: String?, where names: [String]) throws -> Bool {
        do {
            let authenticator = try definition(.certificate, nil, commonNames: names).authenticator(
                for: startup, over: SecureChannel(endPoint: nil, commonName: name), mockSecret: mockSecret,
                using: cryptography)
            return authenticator == nil
        } catch SessionEnd.refused(let fields) {
            #expect(fields.code == .invalidAuthorization)
            return false
        }
    }

    @Test func aCertificateLetsInTheUserThatItNames() throws {
        #expect(try Self.isLetIn(showing: user, where: []))
        for name in ["eve", user + " ", user.uppercased(), "", nil] {
            #expect(try !Self.isLetIn(showing: name, where: []), "\(name ?? "none")")
        }
    }

    @Test func aCertificateLetsInWhoIsOnTheList() throws {
        for name in ["clerk", "keeper"] {
            #expect(try Self.isLetIn(showing: name, where: ["clerk", "keeper"]))
        }
        for name in [user, "clerk,keeper", nil] {
            #expect(try !Self.isLetIn(showing: name, where: ["clerk", "keeper"]), "\(name ?? "none")")
        }
    }

    @Test func withoutTLSThereIsNoCertificate() {
        #expect(
            throws: SessionEnd.fatal(.invalidAuthorization, "connection requires a valid client certificate")
        ) { try Self.authenticator(.certificate, .nothing) }
    }

    @Test func whereAnyoneMayComeNothingIsAsked() throws {
        let authenticator = try Self.authenticator(.none, .nothing)
        #expect(authenticator == nil)
    }

    @Test func whereNoOneMayComeTheClientIsToldSo() {
        do {
            _ = try Self.authenticator(.block, .plain)
            Issue.record("the client may come")
        } catch let error as SessionEnd {
            #expect(error == .fatal(.invalidAuthorization, "user blocked: shop bob"))
        } catch {
            Issue.record(error)
        }
    }

    @Test(arguments: Knowledge.allCases)
    private func aClearTextRouteChecksThePassword(_ knowledge: Knowledge) throws {
        var authenticator = try #require(try Self.authenticator(.clearText, knowledge))
        #expect(authenticator.begin() == .cleartextPassword)
        var step = try authenticator.receive(password + [0])
        if case .derive(let wanted) = step {
            step = authenticator.receive(wanted.keys(using: cryptography))
        }
        #expect(step == (knowledge == .nothing ? .refused : .accepted(nil)))
    }

    @Test(arguments: Knowledge.allCases)
    private func anMD5RouteChecksTheResponse(_ knowledge: Knowledge) throws {
        var authenticator = try #require(try Self.authenticator(.md5, knowledge))
        guard case .md5Password(let salt) = authenticator.begin() else {
            Issue.record("it asks for something else")
            return
        }
        let hash = try #require(MD5Password.hash(user: user, password: password, using: cryptography))
        let response = try #require(MD5Password.response(hash: hash, salt: salt, using: cryptography))
        let canTell = knowledge == .plain || knowledge == .md5
        #expect(try authenticator.receive(response + [0]) == (canTell ? .accepted(nil) : .refused))
    }

    /// Of an MD5 hash no verifier can be made.
    @Test(arguments: Knowledge.allCases)
    private func aSCRAMRouteChecksTheProof(_ knowledge: Knowledge) throws {
        var authenticator = try #require(try Self.authenticator(.scramSHA256, knowledge))
        #expect(authenticator.begin() == .sasl(mechanisms: ["SCRAM-SHA-256"]))
        var client = SCRAMClient(credential: .password(password), nonce: SCRAM.nonce(using: cryptography))
        var message: [UInt8] = []
        SASLInitialResponse(mechanism: "SCRAM-SHA-256", data: client.first).encode(into: &message)
        let first = try authenticator.receive(Array(message[Framing.headerSize...]))
        guard case .ask(.saslContinue(let challenge)) = first else {
            Issue.record("no challenge but \(first)")
            return
        }
        let last = try authenticator.receive(try client.respond(to: challenge, using: cryptography))
        switch last {
        case .accepted(.saslFinal(let signature)?):
            #expect(knowledge == .plain || knowledge == .scram)
            try client.finish(signature, using: cryptography)
        case .refused: #expect(knowledge == .md5 || knowledge == .nothing)
        default: Issue.record("it ends with \(last)")
        }
    }
}

/// What the client is told; nil if its answer can be judged, or the session ends in another way.
private func refusal(of body: [UInt8], by authenticator: inout any Authenticator) -> ErrorFields? {
    do throws(SessionEnd) {
        _ = try authenticator.receive(body)
    } catch {
        guard case .refused(let fields) = error, fields.severity == .fatal else { return nil }
        return fields
    }
    return nil
}

private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

extension String {
    fileprivate var bytes: [UInt8] { Array(utf8) }
}
