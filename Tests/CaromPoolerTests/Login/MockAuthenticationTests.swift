// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

private let cryptography = OpenSSLCryptography()
private let mockSecret = Array(repeating: UInt8(7), count: 32)
private let password = "pencil"

/// Clients whom nobody expects.
@Suite struct MockAuthenticationTests {
    private static func route(
        _ database: RouteName, _ user: RouteName, _ method: AuthenticationMethod,
        _ secret: String? = password,
        showsID: Bool = true
    ) -> (RoutePattern, ClientAuthentication) {
        var settings = RouteSettings(pattern: RoutePattern(database: database, user: user))
        settings.authentication = method
        settings.password = secret.map { Secret($0) }
        settings.clientShowID = showsID
        let authentication = ClientAuthentication(
            settings, previous: nil, mockSecret: mockSecret, cryptography: cryptography)
        return (settings.pattern, authentication)
    }

    private static func mocks(_ routes: (RoutePattern, ClientAuthentication)...) -> MockAuthentication {
        MockAuthentication(routes, using: cryptography)
    }

    private static func isLetIn(
        _ authentication: ClientAuthentication, as user: String, with password: String
    ) throws -> Bool {
        let startup = StartupMessage(user: user, database: "any")
        guard
            var authenticator = try authentication.authenticator(
                for: startup, over: nil, mockSecret: mockSecret, using: cryptography)
        else { return true }
        switch authenticator.begin() {
        case .cleartextPassword:
            var step = try authenticator.receive(Array(password.utf8) + [0])
            if case .derive(let wanted) = step {
                step = authenticator.receive(wanted.keys(using: cryptography))
            }
            return step == .accepted(nil)
        case .md5Password(let salt):
            let hash = MD5Password.hash(user: user, password: Array(password.utf8), using: cryptography)
            let response = MD5Password.response(hash: try #require(hash), salt: salt, using: cryptography)
            return try authenticator.receive(try #require(response) + [0]) == .accepted(nil)
        default:
            var (client, challenge) = try challenge(of: &authenticator, password)
            let proof = try client.respond(to: challenge, using: cryptography)
            if case .accepted = try authenticator.receive(proof) { return true }
            return false
        }
    }

    private static func challenge(
        of authenticator: inout any Authenticator, _ password: String
    ) throws -> (SCRAMClient, [UInt8]) {
        let client = SCRAMClient(
            credential: .password(Array(password.utf8)), nonce: SCRAM.nonce(using: cryptography))
        var message: [UInt8] = []
        SASLInitialResponse(mechanism: "SCRAM-SHA-256", data: client.first).encode(into: &message)
        guard
            case .ask(.saslContinue(let challenge)) = try authenticator.receive(
                Array(message[Framing.headerSize...]))
        else { throw SCRAMError.outOfTurn }
        return (client, challenge)
    }

    /// Salt and rounds that a client is shown.
    private static func salt(_ authentication: ClientAuthentication, of user: String) throws -> Substring {
        var authenticator = try #require(
            try authentication.authenticator(
                for: StartupMessage(user: user, database: "any"), over: nil, mockSecret: mockSecret,
                using: cryptography))
        _ = authenticator.begin()
        let challenge = String(decoding: try challenge(of: &authenticator, password).1, as: UTF8.self)
        return try #require(challenge.split(separator: ",s=").last)
    }

    @Test func aStrangerGoesThroughTheExchangeOfTheDatabaseAndIsNotLetIn() throws {
        let secrets = [
            password, "md500000000000000000000000000000000",
            String(
                decoding: SCRAMVerifier(
                    password: Array(password.utf8), salt: [1, 2, 3], iterations: 5_000, using: cryptography
                ).encoded, as: UTF8.self),
        ]
        for method in [AuthenticationMethod.clearText, .md5, .scramSHA256] {
            for secret in secrets {
                let known = Self.route(.exact("shop"), .exact("bob"), method, secret, showsID: false)
                let mocks = Self.mocks(Self.route(.exact("other"), .exact("ann"), .certificate), known)
                let mock = mocks.authentication(database: "shop", user: "eve")
                #expect(mock.appearance == known.1.appearance)
                #expect(try !Self.isLetIn(mock, as: "eve", with: password), "\(method) \(secret)")
            }
        }
    }

    @Test func anUnknownDatabaseLooksLikeTheFirstThatAsks() {
        let mocks = Self.mocks(
            Self.route(.exact("open"), .exact("bob"), .none), Self.route(.exact("shop"), .exact("bob"), .md5),
            Self.route(.exact("store"), .exact("bob"), .scramSHA256))
        #expect(mocks.authentication(database: "nowhere", user: "eve").method == .md5)
        #expect(mocks.authentication(database: "open", user: "eve").method == .md5)
        #expect(mocks.authentication(database: "store", user: "eve").method == .scramSHA256)
        let withDefault = Self.mocks(
            Self.route(.exact("shop"), .exact("bob"), .md5), Self.route(.anything, .exact("ann"), .clearText))
        #expect(withDefault.authentication(database: "nowhere", user: "eve").method == .clearText)
    }

    @Test func aUserOfAnotherRouteIsCheckedAgainstItsOwnPassword() throws {
        let mocks = Self.mocks(
            Self.route(.exact("shop"), .exact("ann"), .scramSHA256),
            Self.route(.exact("shop"), .exact("bob"), .scramSHA256, "another"))
        let bob = mocks.authentication(database: "nowhere", user: "bob")
        #expect(try Self.isLetIn(bob, as: "bob", with: "another"))
        #expect(try !Self.isLetIn(bob, as: "bob", with: password))
    }

    /// With another method than strangers go through a user's own password would tell that there is such a user.
    @Test func aUserOfAnotherMethodIsAStranger() throws {
        let mocks = Self.mocks(
            Self.route(.exact("shop"), .exact("ann"), .md5),
            Self.route(.exact("store"), .exact("bob"), .scramSHA256, "another"))
        let bob = mocks.authentication(database: "shop", user: "bob")
        #expect(bob.method == .md5)
        #expect(try !Self.isLetIn(bob, as: "bob", with: "another"))
    }

    @Test func aUserHasTheSameSaltKnownOrNot() throws {
        let (_, known) = Self.route(.exact("shop"), .exact("bob"), .scramSHA256)
        let stranger = Self.mocks(Self.route(.exact("shop"), .exact("ann"), .scramSHA256))
            .authentication(database: "shop", user: "bob")
        #expect(try Self.salt(known, of: "bob") == Self.salt(stranger, of: "bob"))
        #expect(try Self.salt(stranger, of: "bob") != Self.salt(stranger, of: "eve"))
    }

    @Test func strangersAreRefusedAtOnceWhereNobodyIsAskedForAnything() throws {
        let mocks = Self.mocks(Self.route(.anything, .exact("ann"), .none, nil))
        #expect(mocks.authentication(database: "nowhere", user: "eve").method == .none)
        let blocking = Self.mocks(
            Self.route(.anything, .exact("ann"), .none, nil), Self.route(.anything, .anything, .block, nil))
        #expect(blocking.authentication(database: "nowhere", user: "eve").method == .scramSHA256)
    }
}
