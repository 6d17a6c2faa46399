// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// One way for a client to prove who it is: a machine that is told the client's answers. It has no socket.
protocol Authenticator {
    /// What the client is asked first.
    mutating func begin() -> AuthenticationRequest

    /// Judges the client's answer: the body of a message of type `p`.
    ///
    /// - Throws: how the session ends if the answer is malformed.
    mutating func receive(_ body: [UInt8]) throws(SessionEnd) -> AuthenticationStep

    /// What the client has shown to know, where it is to open servers.
    var passedKeys: SCRAMUserKeys? { get }

    /// Goes on with keys that it asked for by ``AuthenticationStep/derive(_:)``.
    mutating func receive(_ keys: SCRAMKeys) -> AuthenticationStep
}

extension Authenticator {
    var passedKeys: SCRAMUserKeys? { nil }

    /// Those that ask for no keys.
    func receive(_ keys: SCRAMKeys) -> AuthenticationStep { .refused }
}

/// What follows from a client's answer.
enum AuthenticationStep: Equatable {
    /// The client is asked on.
    case ask(AuthenticationRequest)
    /// Keys are to be made for it first, which takes longer than a loop may be kept.
    case derive(SCRAMKeyDerivation)
    /// A service is to say whether the client is who it says, which may take long.
    case consult(PasswordInquiry)
    /// The client is who it says; in some methods it is told a last thing before AuthenticationOk.
    case accepted(AuthenticationRequest?)
    /// It is not, or the route knows no password for it.
    case refused
}
