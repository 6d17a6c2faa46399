// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromConfiguration

/// A secret tells its form and nothing else.
@Suite struct SecretTests {
    @Test func aSecretDoesNotPrint() {
        let secret = Secret("hunter2")
        var route = RouteSettings(pattern: RoutePattern(database: .anything, user: .anything))
        route.password = secret
        route.storagePassword = secret
        var dumped = ""
        dump(route, to: &dumped)
        dump(secret, to: &dumped)
        let printed = [
            "\(secret)", String(reflecting: secret), "\(route)", String(reflecting: route), dumped,
        ]
        #expect(!printed.joined().contains("hunter2"))
        #expect(printed[0] == "***" && secret.reveal() == "hunter2")
    }

    @Test(arguments: [
        ("hunter2", Secret.Form.plain), ("md5", .plain), ("md50123456789abcdef0123456789abcdef", .md5),
        ("md50123456789ABCDEF0123456789abcdef", .plain), ("SCRAM-SHA-256$", .plain),
        (
            "SCRAM-SHA-256$4096:c2FsdA==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
            .scramVerifier
        ),
        ("SCRAM-SHA-256$0:c2FsdA==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:x", .plain),
    ])
    func aStoredPasswordIsKnownByItsForm(text: String, form: Secret.Form) {
        #expect(Secret(text).form == form)
    }
}
