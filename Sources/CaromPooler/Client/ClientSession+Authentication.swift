// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol

extension ClientSession {
    /// Stage 4, authentication: the client proves who it is, by the method of its route.
    func authenticate(_ rule: RouteDefinition) async throws(SessionEnd) {
        try negotiate()
        let isGenuine: Bool
        switch rule.settings.authentication {
        case .none: isGenuine = true
        case .block: throw refusal("user blocked: \(startup.database) \(startup.user)", .invalidAuthorization)
        case .clearText: isGenuine = try await checkClearText(rule)
        case .md5: isGenuine = try await checkMD5(rule)
        case .scramSHA256: isGenuine = try await checkSCRAM(rule)
        }
        if !isGenuine {
            throw refusal("password authentication failed for user \"\(startup.user)\"", .invalidPassword)
        }
    }

    @inline(never)
    private func negotiate() throws(SessionEnd) {
        guard let negotiation = startup.negotiation() else { return }
        var bytes: [UInt8] = []
        negotiation.encode(into: &bytes)
        try send(bytes)
    }

    @inline(never)
    private func refusal(_ message: @autoclosure () -> String, _ code: SQLState) -> SessionEnd {
        .fatal(code, message())
    }

    private func secret(_ rule: RouteDefinition) -> StoredSecret? {
        (rule.settings.password?.reveal()).map { StoredSecret($0) }
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

    private func checkClearText(_ rule: RouteDefinition) async throws(SessionEnd)
        -> Bool
    {
        try ask(.cleartextPassword)
        let password = try await passwordMessage()
        guard let secret = secret(rule) else { return false }
        return secret.matches(password: password, user: startup.user, using: worker.cryptography)
    }

    private func checkMD5(_ rule: RouteDefinition) async throws(SessionEnd) -> Bool {
        let salt = worker.cryptography.randomBytes(4)
        try ask(.md5Password(salt: salt))
        let response = try await passwordMessage()
        guard let secret = secret(rule) else { return false }
        return secret.matches(
            md5Response: response, salt: salt, user: startup.user, using: worker.cryptography)
    }

    /// SCRAM-SHA-256 (RFC 7677).
    private func checkSCRAM(_ rule: RouteDefinition) async throws(SessionEnd) -> Bool {
        let exchange = try beginSCRAM(rule)
        try challenge(exchange, try await receivePassword())
        return try verify(exchange, try await receivePassword())
    }

    /// The machine while the client thinks: a reference, for the client's task to keep no more.
    private final class SCRAMExchange {
        var machine: SCRAMServer

        init(_ machine: SCRAMServer) { self.machine = machine }
    }

    /// A route without a usable secret goes through the motions, so that the client cannot tell.
    @inline(never)
    private func beginSCRAM(_ rule: RouteDefinition) throws(SessionEnd) -> SCRAMExchange {
        let nonce = SCRAM.nonce(using: worker.cryptography)
        let exchange: SCRAMExchange
        if let verifier = rule.verifier {
            exchange = SCRAMExchange(SCRAMServer(verifier: verifier, nonce: nonce))
        } else {
            exchange = SCRAMExchange(
                SCRAMServer(
                    mockUser: startup.user, secret: worker.snapshot.mockSecret, nonce: nonce,
                    using: worker.cryptography))
        }
        try ask(.sasl(mechanisms: SCRAMServer.mechanisms(hasChannelData: false)))
        return exchange
    }

    @inline(never)
    private func challenge(_ exchange: SCRAMExchange, _ body: [UInt8]) throws(SessionEnd) {
        let challenge: [UInt8]
        do {
            challenge = try exchange.machine.challenge(SASLInitialResponse(body: body.span.bytes))
        } catch {
            throw failure(error)
        }
        try ask(.saslContinue(challenge))
    }

    @inline(never)
    private func verify(_ exchange: SCRAMExchange, _ proof: [UInt8]) throws(SessionEnd) -> Bool {
        let accepted: SCRAMServer.Accepted
        do throws(SCRAMError) {
            accepted = try exchange.machine.verify(proof, using: worker.cryptography)
        } catch {
            if case .wrongPassword = error { return false }
            throw failure(error)
        }
        try ask(.saslFinal(accepted.message))
        return true
    }

    private func failure(_ error: any Error) -> SessionEnd {
        if let error = error as? SCRAMError {
            return .fatal(error.sqlState, "SCRAM authentication failed: \(error)")
        }
        return .fatal(.protocolViolation, "\(error)")
    }
}
