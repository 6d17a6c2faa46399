// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import PostgresProtocol

extension ClientSession {
    /// Stage 4, authentication: the client proves who it is, by the method of its route.
    func authenticate(_ startup: StartupMessage, _ rule: RouteSettings) async throws(SessionEnd) {
        if let negotiation = startup.negotiation() {
            var bytes: [UInt8] = []
            negotiation.encode(into: &bytes)
            try send(bytes)
        }
        let isGenuine: Bool
        switch rule.authentication {
        case .none: isGenuine = true
        case .block:
            throw .fatal(.invalidAuthorization, "user blocked: \(startup.database) \(startup.user)")
        case .clearText: isGenuine = try await checkClearText(startup, rule)
        case .md5: isGenuine = try await checkMD5(startup, rule)
        case .scramSHA256: isGenuine = try await checkSCRAM(startup, rule)
        }
        guard isGenuine else {
            throw .fatal(.invalidPassword, "password authentication failed for user \"\(startup.user)\"")
        }
    }

    private func secret(_ rule: RouteSettings) -> StoredSecret? {
        (rule.password?.reveal()).map { StoredSecret($0) }
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

    private func checkClearText(_ startup: StartupMessage, _ rule: RouteSettings) async throws(SessionEnd)
        -> Bool
    {
        try ask(.cleartextPassword)
        let password = try await passwordMessage()
        guard let secret = secret(rule) else { return false }
        return secret.matches(password: password, user: startup.user, using: worker.cryptography)
    }

    private func checkMD5(_ startup: StartupMessage, _ rule: RouteSettings) async throws(SessionEnd) -> Bool {
        let salt = worker.cryptography.randomBytes(4)
        try ask(.md5Password(salt: salt))
        let response = try await passwordMessage()
        guard let secret = secret(rule) else { return false }
        return secret.matches(
            md5Response: response, salt: salt, user: startup.user, using: worker.cryptography)
    }

    /// SCRAM-SHA-256 (RFC 7677). A route without a usable secret goes through the motions, so that the client cannot tell.
    private func checkSCRAM(_ startup: StartupMessage, _ rule: RouteSettings) async throws(SessionEnd) -> Bool
    {
        let nonce = SCRAM.nonce(using: worker.cryptography)
        var machine: SCRAMServer
        if let verifier = worker.router.verifier(for: rule) {
            machine = SCRAMServer(verifier: verifier, nonce: nonce)
        } else {
            machine = SCRAMServer(
                mockUser: startup.user, secret: worker.router.mockSecret, nonce: nonce,
                using: worker.cryptography)
        }
        try ask(.sasl(mechanisms: SCRAMServer.mechanisms(hasChannelData: false)))
        let first = try await receivePassword()
        do {
            let response = try SASLInitialResponse(body: first.span.bytes)
            try ask(.saslContinue(try machine.challenge(response)))
            let proof = try await receivePassword()
            let accepted = try machine.verify(proof, using: worker.cryptography)
            try ask(.saslFinal(accepted.message))
            return true
        } catch let error as SCRAMError {
            if case .wrongPassword = error { return false }
            throw .fatal(error.sqlState, "SCRAM authentication failed: \(error)")
        } catch let error as WireError {
            throw .fatal(.protocolViolation, "\(error)")
        } catch let error as SessionEnd {
            throw error
        } catch {
            throw .fatal(.internalError, "\(error)")
        }
    }
}
