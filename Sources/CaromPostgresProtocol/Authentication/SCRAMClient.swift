// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, as a pure machine.
///
/// `first` → the server's challenge into `respond` → its last word into `finish`, which must succeed before
/// the server is believed: it proves that the server knows the verifier.
package struct SCRAMClient: Sendable {
    /// What the client proves itself with.
    package enum Credential: Equatable, Sendable {
        case password([UInt8])
        /// Keys learnt from the same user's login with us. They are shown only to a server that has the same salt and rounds.
        case keys(SCRAMUserKeys)
    }

    /// What the client says about binding to the TLS channel.
    package enum Binding: Equatable, Sendable {
        /// `n`: it cannot, as without TLS.
        case unsupported
        /// `y`: it could, but the server did not offer it.
        case notOffered
        /// `p`: hash of the server's certificate (RFC 5929).
        case tlsServerEndPoint([UInt8])
    }

    private enum State: Sendable {
        /// → `.asked` by `receive`.
        case fresh
        /// → `.challenged` by `respond`. What the server sent, and its nonce.
        case asked(challenge: [UInt8], nonce: [UInt8])
        /// → `.done` by `finish`. Holds the signature the server must send.
        case challenged(signature: [UInt8])
        case done
    }

    package let mechanism: SCRAM.Mechanism
    private let user: [UInt8]
    private let credential: Credential
    private let binding: Binding
    private let nonce: [UInt8]
    private let iterationLimit: Int
    private var state = State.fresh

    /// `nonce` must be fresh for every exchange (`SCRAM.nonce`). PostgreSQL takes the user's name from the
    /// start-up packet and ignores the one here, so it stays empty unless another server wants it.
    package init(
        user: String = "", credential: Credential, binding: Binding = .unsupported, nonce: String,
        iterationLimit: Int = SCRAM.iterationLimit
    ) {
        precondition(SCRAM.isNonce(nonce.utf8), "A SCRAM nonce is printable ASCII without comma.")
        self.user = Self.escaped(user)
        self.credential = credential
        self.binding = binding
        self.nonce = Array(nonce.utf8)
        self.iterationLimit = iterationLimit
        switch binding {
        case .unsupported, .notOffered: mechanism = .plain
        case .tlsServerEndPoint: mechanism = .plus
        }
    }

    /// Chooses how to bind: `channelData` is the hash of the server's certificate, nil without TLS.
    package static func binding(
        offered mechanisms: [String], channelData: [UInt8]?
    ) throws(SCRAMError) -> Binding {
        if let channelData, mechanisms.contains(SCRAM.Mechanism.plus.rawValue) {
            return .tlsServerEndPoint(channelData)
        }
        guard mechanisms.contains(SCRAM.Mechanism.plain.rawValue) else {
            throw .unsupportedMechanism(mechanisms.joined(separator: ", "))
        }
        return channelData == nil ? .unsupported : .notOffered
    }

    /// The message for SASLInitialResponse.
    package var first: [UInt8] { header + firstBare }

    private var firstBare: [UInt8] { Array("n=".utf8) + user + Array(",r=".utf8) + nonce }

    /// RFC 5802 `saslname`: comma and equal sign have a meaning of their own.
    private static func escaped(_ name: String) -> [UInt8] {
        name.utf8.flatMap { byte in
            switch byte {
            case UInt8(ascii: ","): Array("=2C".utf8)
            case UInt8(ascii: "="): Array("=3D".utf8)
            default: [byte]
            }
        }
    }

    private var header: [UInt8] {
        switch binding {
        case .unsupported: Array("n,,".utf8)
        case .notOffered: Array("y,,".utf8)
        case .tlsServerEndPoint: Array("p=\(SCRAM.bindingType),,".utf8)
        }
    }

    /// Reads the server's challenge; `respond` with the keys comes next.
    ///
    /// - Returns: what the keys are to be made of, which takes long; nil if they are known.
    package mutating func receive(_ challenge: [UInt8]) throws(SCRAMError) -> SCRAMKeyDerivation? {
        guard case .fresh = state else { throw .outOfTurn }
        guard challenge.count <= SCRAM.longestMessage else { throw .tooLong(challenge.count) }
        try throwServerError(challenge)
        var attributes = SCRAMAttributes(challenge[...])
        let wholeNonce = try attributes.expect("r")
        guard wholeNonce.starts(with: nonce), wholeNonce.count > nonce.count, SCRAM.isNonce(wholeNonce)
        else { throw .nonceMismatch }
        guard let salt = Base64.decode(try attributes.expect("s")), !salt.isEmpty else {
            throw .malformed("the salt is not base64")
        }
        let rounds = try attributes.expect("i")
        guard let iterations = SCRAMVerifier.number(rounds), (1...iterationLimit).contains(iterations) else {
            throw .iterationsOutOfRange(
                String(decoding: rounds.prefix(12), as: UTF8.self), limit: iterationLimit)
        }
        try attributes.skipExtensions()
        if case .keys(let known) = credential, known.salt != salt || known.iterations != iterations {
            throw .keysDoNotFit
        }
        state = .asked(challenge: challenge, nonce: Array(wholeNonce))
        guard case .password(let password) = credential else { return nil }
        return SCRAMKeyDerivation(password: password, salt: salt, iterations: iterations)
    }

    /// Answers the challenge.
    ///
    /// - Parameter derived: the keys that `receive` asked for.
    package mutating func respond(
        with derived: SCRAMKeys?, using cryptography: some ProtocolCryptography
    ) throws(SCRAMError) -> [UInt8] {
        guard case .asked(let challenge, let wholeNonce) = state else { throw .outOfTurn }
        let keys: SCRAMKeys
        switch (credential, derived) {
        case (.keys(let known), nil): keys = known.keys
        case (.password, let derived?): keys = derived
        case (.keys, _?), (.password, nil): throw .outOfTurn
        }
        var bound = header
        if case .tlsServerEndPoint(let data) = binding { bound += data }
        let withoutProof =
            Array("c=".utf8) + Base64.encode(bound) + Array(",r=".utf8) + wholeNonce
        let comma = [UInt8(ascii: ",")]
        let transcript = firstBare + comma + challenge + comma + withoutProof
        let signature = cryptography.hmacSHA256(
            key: cryptography.sha256(keys.clientKey), data: transcript)
        state = .challenged(signature: cryptography.hmacSHA256(key: keys.serverKey, data: transcript))
        return withoutProof + Array(",p=".utf8) + Base64.encode(SCRAM.xor(keys.clientKey, signature))
    }

    /// Answers the server's challenge, hashing here and now.
    package mutating func respond(
        to challenge: [UInt8], using cryptography: some ProtocolCryptography
    ) throws(SCRAMError) -> [UInt8] {
        let derivation = try receive(challenge)
        return try respond(with: derivation?.keys(using: cryptography), using: cryptography)
    }

    /// Checks the server's last word.
    package mutating func finish(
        _ message: [UInt8], using cryptography: some ProtocolCryptography
    ) throws(SCRAMError) {
        guard case .challenged(let expected) = state else { throw .outOfTurn }
        guard message.count <= SCRAM.longestMessage else { throw .tooLong(message.count) }
        try throwServerError(message)
        var attributes = SCRAMAttributes(message[...])
        guard let signature = Base64.decode(try attributes.expect("v")) else {
            throw .malformed("the server's signature is not base64")
        }
        try attributes.skipExtensions()
        guard cryptography.constantTimeEquals(signature, expected) else { throw .wrongServerSignature }
        state = .done
    }

    /// Whether the server has proved itself.
    package var isDone: Bool {
        switch state {
        case .done: true
        case .fresh, .asked, .challenged: false
        }
    }

    private func throwServerError(_ message: [UInt8]) throws(SCRAMError) {
        guard message.starts(with: "e=".utf8) else { return }
        let reason = message.dropFirst(2).prefix { $0 != UInt8(ascii: ",") }.prefix(100)
        throw .serverError(String(decoding: reason, as: UTF8.self))
    }
}

extension SCRAMClient: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SCRAMClient(\(mechanism.rawValue))" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["mechanism": mechanism.rawValue]) }
}

extension SCRAMClient.Credential: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String {
        switch self {
        case .password: "password(redacted)"
        case .keys: "keys(redacted)"
        }
    }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
