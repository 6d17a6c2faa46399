// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// The password itself (`clear_text`), checked by a service.
struct ServiceAuthenticator: Authenticator {
    let service: PasswordService
    let user: String

    func begin() -> AuthenticationRequest { .cleartextPassword }

    /// An empty password is none: there are services that would let in whoever gives none.
    func receive(_ body: [UInt8]) throws(SessionEnd) -> AuthenticationStep {
        let password = try ClearTextAuthenticator.password(in: body)
        if password.isEmpty { return .refused }
        return .consult(PasswordInquiry(service, user: user, password: password))
    }
}
