// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why a SCRAM exchange failed.
package enum SCRAMError: Error, Equatable, Sendable {
    /// A message that RFC 5802 does not allow here; the sentence says what is wrong.
    case malformed(String)
    /// A message longer than `SCRAM.longestMessage`.
    case tooLong(Int)
    /// None of the mechanisms is ours.
    case unsupportedMechanism(String)
    /// Channel binding of a kind other than tls-server-end-point.
    case unsupportedChannelBinding(String)
    /// The client wants to act as somebody else.
    case authorizationIdentity
    /// A mandatory extension (`m=`).
    case unsupportedExtension
    /// The client believes that the server cannot bind channels, but it can: somebody in between took the
    /// offer away.
    case channelBindingDowngrade
    /// The data of the other side's TLS channel is not ours.
    case channelBindingMismatch
    /// The nonce does not begin with ours, or changed on its way.
    case nonceMismatch
    /// More (or fewer) rounds of hashing than we do for a peer.
    case iterationsOutOfRange(String, limit: Int)
    /// Wrong password, or unknown user.
    case wrongPassword
    /// The server does not know the password either.
    case wrongServerSignature
    /// The server has another salt, or other rounds, than those that the user's keys were made with.
    case keysDoNotFit
    /// The server says why it refuses (`e=`).
    case serverError(String)
    /// A message when it was not the other side's turn.
    case outOfTurn

    /// The code to put into an ErrorResponse.
    package var sqlState: SQLState {
        switch self {
        case .malformed, .tooLong, .nonceMismatch, .outOfTurn, .iterationsOutOfRange: .protocolViolation
        case .unsupportedMechanism, .unsupportedChannelBinding, .authorizationIdentity, .unsupportedExtension:
            .featureNotSupported
        case .channelBindingDowngrade, .channelBindingMismatch: .invalidAuthorization
        case .wrongPassword, .wrongServerSignature, .keysDoNotFit, .serverError: .invalidPassword
        }
    }
}

extension SCRAMError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let reason): "malformed SCRAM message: \(reason)"
        case .tooLong(let length):
            "malformed SCRAM message: \(length) bytes, at most \(SCRAM.longestMessage) are allowed"
        case .unsupportedMechanism(let name):
            "SASL mechanism \"\(name)\" is not supported: SCRAM-SHA-256 and SCRAM-SHA-256-PLUS are"
        case .unsupportedChannelBinding(let name):
            "unsupported SCRAM channel-binding type \"\(name)\": tls-server-end-point is supported"
        case .authorizationIdentity: "client uses authorization identity, but it is not supported"
        case .unsupportedExtension: "peer requires an unsupported SCRAM extension"
        case .channelBindingDowngrade:
            "SCRAM channel binding negotiation error: the client supports channel binding but thinks "
                + "the server does not"
        case .channelBindingMismatch: "SCRAM channel binding check failed"
        case .nonceMismatch: "invalid SCRAM nonce: it does not continue ours"
        case .iterationsOutOfRange(let value, let limit):
            "SCRAM iteration count \(value) is not accepted: 1 to \(limit) are"
        case .wrongPassword: "password authentication failed"
        case .wrongServerSignature: "the server does not know the password: its SCRAM signature is wrong"
        case .keysDoNotFit:
            "the server's SCRAM secret has another salt or number of rounds than the one that the client has proved to know"
        case .serverError(let reason): "the server refused SCRAM authentication: \(reason)"
        case .outOfTurn: "SCRAM message out of turn"
        }
    }
}
