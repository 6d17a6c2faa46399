// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Why a start-up packet is refused.
package enum StartupError: Error, Equatable, Sendable {
    /// The packet's fields do not add up.
    case malformed(WireError)
    /// The last byte is not the terminator.
    case missingTerminator
    /// The client wants another major version.
    case unsupportedVersion(ProtocolVersion)
    /// No user, or an empty one.
    case missingUser
    /// User or database name longer than PostgreSQL keeps (63 bytes).
    case nameTooLong(parameter: String, length: Int)
    /// A value that is not UTF-8.
    case invalidText(parameter: String)
    /// `replication` is neither a boolean nor `database`.
    case invalidReplication(String)
    /// A cancel key outside of 4 to 256 bytes.
    case invalidCancelKey(length: Int)

    /// The code to put into the ErrorResponse.
    package var sqlState: SQLState {
        switch self {
        case .malformed, .missingTerminator, .invalidCancelKey: .protocolViolation
        case .unsupportedVersion: .featureNotSupported
        case .missingUser: .invalidAuthorization
        case .nameTooLong: .nameTooLong
        case .invalidText: .characterNotInRepertoire
        case .invalidReplication: .invalidParameterValue
        }
    }
}

extension StartupError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .malformed(let error):
            "invalid startup packet: \(error)"
        case .missingTerminator:
            "invalid startup packet layout: expected terminator as last byte"
        case .unsupportedVersion(let version):
            "unsupported frontend protocol \(version): server supports 3.0 to 3.2"
        case .missingUser:
            "no PostgreSQL user name specified in startup packet"
        case .nameTooLong(let parameter, let length):
            "\(parameter) name is \(length) bytes long: at most \(StartupMessage.longestName) are allowed"
        case .invalidText(let parameter):
            "startup parameter \"\(parameter)\" is not valid UTF-8"
        case .invalidReplication(let value):
            "invalid value for parameter \"replication\": \"\(value)\": valid are false, true and database"
        case .invalidCancelKey(let length):
            "invalid length of cancel key: \(length) bytes, 4 to 256 are allowed"
        }
    }
}
