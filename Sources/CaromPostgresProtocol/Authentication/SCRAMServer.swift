// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, as a pure machine.
///
/// The client's first message into `challenge`, its second into `verify`.
package struct SCRAMServer: Sendable {
    /// What became of a successful exchange.
    package struct Accepted: Equatable, Sendable {
        /// The body of AuthenticationSASLFinal.
        package let message: [UInt8]
        /// The keys: with them the pooler can log in to servers that hold the same verifier.
        package let keys: SCRAMKeys

        package init(message: [UInt8], keys: SCRAMKeys) {
            self.message = message
            self.keys = keys
        }
    }

    private struct Offer: Sendable {
        let clientFirstBare: [UInt8]
        let challenge: [UInt8]
        let nonce: [UInt8]
        /// What `c=` must decode to.
        let bound: [UInt8]
    }

    private enum State: Sendable {
        /// → `.challenged` by `challenge`, `.over` by an error.
        case fresh
        /// → `.over` by `verify`.
        case challenged(Offer)
        case over
    }

    private let verifier: SCRAMVerifier
    private let isMock: Bool
    private let channelData: [UInt8]?
    private let nonce: [UInt8]
    private var state = State.fresh

    /// For a user with a verifier. `channelData` is the hash of our certificate when the client came over
    /// TLS; `nonce` must be fresh for every exchange (`SCRAM.nonce`).
    package init(verifier: SCRAMVerifier, channelData: [UInt8]? = nil, nonce: String) {
        self.init(verifier, isMock: false, channelData: channelData, nonce: nonce)
    }

    /// For a user that does not exist, or has no usable secret: goes through the motions and refuses at the
    /// end. The salt is derived from `secret` (random, the same for the life of the process) and the name, so
    /// that asking twice tells nothing.
    package init(
        mockUser user: String, secret: [UInt8], channelData: [UInt8]? = nil, nonce: String,
        iterations: Int = SCRAM.defaultIterations, using cryptography: some ProtocolCryptography
    ) {
        let digest = SCRAM.mockDigest(user: user, secret: secret, using: cryptography)
        let verifier = SCRAMVerifier(
            iterations: iterations, salt: SCRAM.mockSalt(digest),
            storedKey: cryptography.hmacSHA256(key: secret, data: digest), serverKey: digest)
        self.init(verifier, isMock: true, channelData: channelData, nonce: nonce)
    }

    private init(_ verifier: SCRAMVerifier, isMock: Bool, channelData: [UInt8]?, nonce: String) {
        precondition(SCRAM.isNonce(nonce.utf8), "A SCRAM nonce is printable ASCII without comma.")
        self.verifier = verifier
        self.isMock = isMock
        self.channelData = channelData
        self.nonce = Array(nonce.utf8)
    }

    /// The mechanisms to offer in AuthenticationSASL.
    package static func mechanisms(hasChannelData: Bool) -> [String] {
        (hasChannelData ? [.plus, .plain] : [SCRAM.Mechanism.plain]).map(\.rawValue)
    }

    /// Answers the client's first message with the body of AuthenticationSASLContinue.
    package mutating func challenge(_ response: SASLInitialResponse) throws(SCRAMError) -> [UInt8] {
        guard case .fresh = state else { throw .outOfTurn }
        state = .over
        guard let mechanism = SCRAM.Mechanism(rawValue: response.mechanism),
            mechanism == .plain || channelData != nil
        else { throw .unsupportedMechanism(response.mechanism) }
        guard let message = response.data else { throw .malformed("the first message is empty") }
        guard message.count <= SCRAM.longestMessage else { throw .tooLong(message.count) }

        let (header, bound) = try bindingHeader(message, mechanism)
        let bare = message[header.endIndex...]
        var attributes = SCRAMAttributes(bare)
        _ = try attributes.expect("n")
        let clientNonce = try attributes.expect("r")
        guard SCRAM.isNonce(clientNonce) else { throw .malformed("the nonce has non-printable characters") }
        try attributes.skipExtensions()

        let whole = Array(clientNonce) + nonce
        let challenge =
            Array("r=".utf8) + whole + Array(",s=".utf8) + Base64.encode(verifier.salt)
            + Array(",i=\(verifier.iterations)".utf8)
        state = .challenged(
            Offer(clientFirstBare: Array(bare), challenge: challenge, nonce: whole, bound: bound))
        return challenge
    }

    /// Checks the client's proof.
    package mutating func verify(
        _ message: [UInt8], using cryptography: some ProtocolCryptography
    ) throws(SCRAMError) -> Accepted {
        guard case .challenged(let offer) = state else { throw .outOfTurn }
        state = .over
        guard message.count <= SCRAM.longestMessage else { throw .tooLong(message.count) }
        var attributes = SCRAMAttributes(message[...])
        let binding = try attributes.expect("c")
        guard try attributes.expect("r").elementsEqual(offer.nonce) else { throw .nonceMismatch }
        var last: (name: UInt8, value: ArraySlice<UInt8>)?
        while let attribute = try attributes.next() {
            if attribute.name == UInt8(ascii: "m") { throw .unsupportedExtension }
            if last?.name == UInt8(ascii: "p") { throw .malformed("the proof is not the last attribute") }
            last = attribute
        }
        guard let last, last.name == UInt8(ascii: "p"), let proof = Base64.decode(last.value),
            proof.count == 32
        else { throw .malformed("the proof is missing or not base64 of 32 bytes") }
        guard let bound = Base64.decode(binding), cryptography.constantTimeEquals(bound, offer.bound) else {
            throw .channelBindingMismatch
        }

        let withoutProof = message[..<(last.value.startIndex - 3)]
        let comma = [UInt8(ascii: ",")]
        let transcript = offer.clientFirstBare + comma + offer.challenge + comma + withoutProof
        let clientKey = SCRAM.xor(
            proof, cryptography.hmacSHA256(key: verifier.storedKey, data: transcript))
        let isRight = cryptography.constantTimeEquals(
            cryptography.sha256(clientKey), verifier.storedKey)
        guard isRight, !isMock else { throw .wrongPassword }
        let signature = cryptography.hmacSHA256(key: verifier.serverKey, data: transcript)
        return Accepted(
            message: Array("v=".utf8) + Base64.encode(signature),
            keys: SCRAMKeys(clientKey: clientKey, serverKey: verifier.serverKey))
    }

    /// Reads the part in front of the message proper (RFC 5802 `gs2-header`) and says what `c=` must repeat.
    private func bindingHeader(
        _ message: [UInt8], _ mechanism: SCRAM.Mechanism
    ) throws(SCRAMError) -> (header: ArraySlice<UInt8>, bound: [UInt8]) {
        let comma = UInt8(ascii: ",")
        guard let first = message.firstIndex(of: comma) else { throw .malformed("comma expected") }
        let flag = message[..<first]
        let rest = message[(first + 1)...]
        guard let second = rest.firstIndex(of: comma) else { throw .malformed("comma expected") }
        let identity = rest[..<second]
        let header = message[...second]
        switch flag.first {
        case UInt8(ascii: "n") where flag.count == 1, UInt8(ascii: "y") where flag.count == 1:
            guard mechanism == .plain else {
                throw .malformed("SCRAM-SHA-256-PLUS was chosen without channel binding data")
            }
            if flag.first == UInt8(ascii: "y"), channelData != nil { throw .channelBindingDowngrade }
            guard identity.isEmpty else { throw identityError(identity) }
            return (header, Array(header))
        case UInt8(ascii: "p") where flag.starts(with: "p=".utf8):
            guard mechanism == .plus, let channelData else {
                throw .malformed("SCRAM-SHA-256 was chosen with channel binding data")
            }
            let type = flag.dropFirst(2)
            guard type.elementsEqual(SCRAM.bindingType.utf8) else {
                throw .unsupportedChannelBinding(String(decoding: type.prefix(64), as: UTF8.self))
            }
            guard identity.isEmpty else { throw identityError(identity) }
            return (header, Array(header) + channelData)
        default:
            throw .malformed("unexpected channel-binding flag")
        }
    }

    private func identityError(_ identity: ArraySlice<UInt8>) -> SCRAMError {
        identity.starts(with: "a=".utf8)
            ? .authorizationIdentity : .malformed("unexpected attribute in front of the user name")
    }
}

extension SCRAMServer: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SCRAMServer(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}

extension SCRAMServer.Accepted: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SCRAMServer.Accepted(redacted)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: [:]) }
}
