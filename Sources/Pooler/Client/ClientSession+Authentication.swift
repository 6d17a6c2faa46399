// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import PostgresProtocol

extension ClientSession {
    /// Stage 4, authentication: the client proves who it is, by the method of its route.
    func authenticate(_ startup: StartupMessage, _ route: Route) async throws(SessionEnd) {
        if let negotiation = startup.negotiation() {
            var bytes: [UInt8] = []
            negotiation.encode(into: &bytes)
            try send(bytes)
        }
        let isGenuine: Bool
        switch route.settings.authentication {
        case .none: isGenuine = true
        case .block:
            throw .fatal(
                .invalidAuthorization, "user blocked: \(startup.database) \(startup.user)")
        case .clearText: isGenuine = try await checkClearText(startup, route)
        case .md5: isGenuine = try await checkMD5(startup, route)
        case .scramSHA256: isGenuine = try await checkSCRAM(startup, route)
        }
        guard isGenuine else {
            throw .fatal(.invalidPassword, "password authentication failed for user \"\(startup.user)\"")
        }
    }

    private func secret(_ route: Route) -> StoredSecret? {
        (route.settings.password?.reveal()).map { StoredSecret($0) }
    }

    private func ask(_ request: AuthenticationRequest) throws(SessionEnd) {
        var bytes: [UInt8] = []
        request.encode(into: &bytes)
        try send(bytes)
    }

    private func passwordMessage() async throws(SessionEnd) -> [UInt8] {
        let body = try await receivePassword()
        do throws(WireError) {
            return try PasswordMessage(body: body.span.bytes).password
        } catch {
            throw .fatal(.protocolViolation, "\(error)")
        }
    }

    private func checkClearText(_ startup: StartupMessage, _ route: Route) async throws(SessionEnd) -> Bool {
        try ask(.cleartextPassword)
        let password = try await passwordMessage()
        return secret(route)?.accepts(password: password, user: startup.user, using: worker.cryptography) ?? false
    }

    private func checkMD5(_ startup: StartupMessage, _ route: Route) async throws(SessionEnd) -> Bool {
        let salt = worker.cryptography.randomBytes(4)
        try ask(.md5Password(salt: salt))
        let response = try await passwordMessage()
        return secret(route)?.acceptsMD5(
            response: response, salt: salt, user: startup.user, using: worker.cryptography) ?? false
    }
}
