// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// First byte of every message a server sends (PostgreSQL protocol 3, chapter "Message Formats").
package enum BackendTag: UInt8, CaseIterable, Sendable {
    /// `R`: every authentication request, told apart by the first word of the body.
    case authentication = 0x52
    /// `K`
    case backendKeyData = 0x4b
    /// `2`
    case bindComplete = 0x32
    /// `3`
    case closeComplete = 0x33
    /// `C`
    case commandComplete = 0x43
    /// `d`
    case copyData = 0x64
    /// `c`
    case copyDone = 0x63
    /// `G`
    case copyInResponse = 0x47
    /// `H`
    case copyOutResponse = 0x48
    /// `W`
    case copyBothResponse = 0x57
    /// `D`
    case dataRow = 0x44
    /// `I`
    case emptyQueryResponse = 0x49
    /// `E`
    case errorResponse = 0x45
    /// `V`
    case functionCallResponse = 0x56
    /// `v`
    case negotiateProtocolVersion = 0x76
    /// `n`
    case noData = 0x6e
    /// `N`
    case noticeResponse = 0x4e
    /// `A`
    case notificationResponse = 0x41
    /// `t`
    case parameterDescription = 0x74
    /// `S`
    case parameterStatus = 0x53
    /// `1`
    case parseComplete = 0x31
    /// `s`
    case portalSuspended = 0x73
    /// `Z`
    case readyForQuery = 0x5a
    /// `T`
    case rowDescription = 0x54
}

extension BackendTag {
    /// The server may send these at any time, asked or not.
    package var isAsynchronous: Bool {
        switch self {
        case .noticeResponse, .notificationResponse, .parameterStatus: true
        case .authentication, .backendKeyData, .bindComplete, .closeComplete, .commandComplete, .copyData,
            .copyDone, .copyInResponse, .copyOutResponse, .copyBothResponse, .dataRow, .emptyQueryResponse,
            .errorResponse, .functionCallResponse, .negotiateProtocolVersion, .noData,
            .parameterDescription, .parseComplete, .portalSuspended, .readyForQuery, .rowDescription:
            false
        }
    }
}
