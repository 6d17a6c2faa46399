// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A message that has no place where it came.
package enum FlowError: Error, Equatable, Sendable {
    /// The server says it is ready although nobody asked, or before it answered what was asked.
    case unexpectedReadyForQuery
    /// The server sent a message that belongs to no request under way.
    case unexpectedServerMessage(BackendTag)
    /// The server sent a type that the protocol does not have.
    case unknownServerMessage(UInt8)
    /// The client sent a type that the protocol does not have.
    case unknownClientMessage(UInt8)
    /// The client sent something else than COPY data while the server reads COPY data. PostgreSQL ends the
    /// connection.
    case clientMessageDuringCopy(FrontendTag)
    /// A password after authentication.
    case passwordAfterAuthentication
    /// The client goes on after it said goodbye.
    case clientMessageAfterTerminate(FrontendTag)

    /// Whether the client broke the protocol; otherwise the server did.
    package var isClientFault: Bool {
        switch self {
        case .unexpectedReadyForQuery, .unexpectedServerMessage, .unknownServerMessage: false
        case .unknownClientMessage, .clientMessageDuringCopy, .passwordAfterAuthentication,
            .clientMessageAfterTerminate:
            true
        }
    }

    /// The code to put into an ErrorResponse about this error.
    package var sqlState: SQLState { .protocolViolation }
}

extension FlowError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .unexpectedReadyForQuery:
            "server sent ReadyForQuery that no request under way ends with"
        case .unexpectedServerMessage(let tag):
            "server sent \(tag) (\(tagText(tag.rawValue))), which answers no request under way"
        case .unknownServerMessage(let tag):
            "server sent a message of unknown type \(tag) (\(tagText(tag)))"
        case .unknownClientMessage(let tag):
            "invalid frontend message type \(tag)"
        case .clientMessageDuringCopy(let tag):
            "unexpected message type \(tagText(tag.rawValue)) during COPY from stdin"
        case .passwordAfterAuthentication:
            "unexpected password message: authentication is over"
        case .clientMessageAfterTerminate(let tag):
            "unexpected message type \(tagText(tag.rawValue)) after Terminate"
        }
    }
}
