// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

private let cryptography = OpenSSLCryptography()

/// Passwords that a service is asked about: who is asked, and who is sent away before.
@Suite struct ServiceAuthenticatorTests {
    private static func settings(_ method: AuthenticationMethod, service: String?) -> RouteSettings {
        var route = RouteSettings(pattern: RoutePattern(database: .exact("shop"), user: .anything))
        route.authentication = method
        route.pamService = service
        return route
    }

    private static func authentication(
        _ method: AuthenticationMethod, service: String? = nil, followsLine: Bool = false
    ) -> ClientAuthentication {
        ClientAuthentication(
            settings(method, service: service), followsLine: followsLine, previous: nil,
            mockSecret: Array(repeating: 7, count: 32), cryptography: cryptography)
    }

    private static func authenticator(_ authentication: ClientAuthentication) throws -> any Authenticator {
        try #require(
            try authentication.authenticator(
                for: StartupMessage(user: "ann", database: "shop"), over: nil,
                mockSecret: Array(repeating: 7, count: 32), using: cryptography))
    }

    @Test func theServiceOfTheRouteIsAsked() throws {
        var authenticator = try Self.authenticator(Self.authentication(.clearText, service: "carom"))
        #expect(authenticator.begin() == .cleartextPassword)
        guard case .consult(let inquiry) = try authenticator.receive(Array("pencil".utf8) + [0]) else {
            Issue.record("nobody is asked")
            return
        }
        #expect(inquiry.service == .pam("carom") && inquiry.user == "ann")
    }

    @Test func anEmptyPasswordIsRefusedBeforeAnybodyIsAsked() throws {
        let known = Self.authentication(.clearText, service: "carom", followsLine: true)
        for authentication in [known, known.following(.ldap(LDAPService()))] {
            var authenticator = try Self.authenticator(authentication)
            #expect(try authenticator.receive([0]) == .refused)
        }
    }

    @Test func aServiceIsThatOfTheRoute() {
        #expect(PasswordService(of: Self.settings(.clearText, service: "carom")) == .pam("carom"))
        #expect(PasswordService(of: Self.settings(.clearText, service: nil)) == nil)
    }

    @Test func otherMethodsAskNoService() throws {
        for method in [AuthenticationMethod.md5, .scramSHA256] {
            let authenticator = try Self.authenticator(Self.authentication(method, service: "carom"))
            #expect(!(authenticator is ServiceAuthenticator))
        }
    }

    @Test func strangersAreAskedForWhatTheServiceKnows() throws {
        let known = Self.authentication(.clearText, service: "carom")
        let mocks = MockAuthentication(
            [(RoutePattern(database: .exact("shop"), user: .exact("bob")), known)], using: cryptography)
        for database in ["shop", "nowhere"] {
            let mock = mocks.authentication(database: database, user: "eve")
            let authenticator = try #require(try Self.authenticator(mock) as? ServiceAuthenticator)
            #expect(authenticator.service == .pam("carom"))
        }
    }

    @Test func aLineNamesTheServiceForStrangersToo() throws {
        let known = Self.authentication(.clearText, followsLine: true)
        for authentication in [known, ClientAuthentication(imitating: known, using: cryptography)] {
            let named = authentication.following(.pam("line"))
            let authenticator = try #require(try Self.authenticator(named) as? ServiceAuthenticator)
            #expect(authenticator.service == .pam("line") && named.showsID == known.showsID)
            #expect(authentication.following(nil) === authentication)
        }
        let own = Self.authentication(.clearText)
        #expect(own.following(.pam("line")) === own)
    }
}
