// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A five-character error code (PostgreSQL manual, appendix "Error Codes"), kept as its five bytes.
package struct SQLState: Hashable, Sendable {
    /// The characters, first one in the highest of the five low bytes.
    private let bits: UInt64

    /// Reads a code; nil unless it is five digits or capital letters.
    package init?(_ text: some Collection<UInt8>) {
        guard text.count == 5 else { return nil }
        var bits: UInt64 = 0
        for byte in text {
            let isDigit = byte >= 0x30 && byte <= 0x39
            let isLetter = byte >= 0x41 && byte <= 0x5a
            guard isDigit || isLetter else { return nil }
            bits = bits << 8 | UInt64(byte)
        }
        self.bits = bits
    }

    /// Reads a code; nil unless it is five digits or capital letters.
    package init?(_ text: String) { self.init(Array(text.utf8)) }

    private init(known text: StaticString) {
        self.bits = text.withUTF8Buffer { $0.reduce(0) { $0 << 8 | UInt64($1) } }
    }

    /// The five bytes as they go over the wire.
    package var bytes: [UInt8] {
        (0..<5).map { UInt8(truncatingIfNeeded: bits >> UInt64(32 - 8 * $0)) }
    }

    /// The first two characters, which name the class.
    package var classCode: String { String(decoding: bytes.prefix(2), as: UTF8.self) }
}

extension SQLState: CustomStringConvertible {
    package var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension SQLState {
    package static let successfulCompletion = SQLState(known: "00000")
    package static let warning = SQLState(known: "01000")
    package static let connectionException = SQLState(known: "08000")
    package static let clientUnableToConnect = SQLState(known: "08001")
    package static let connectionDoesNotExist = SQLState(known: "08003")
    package static let serverRejectedConnection = SQLState(known: "08004")
    package static let connectionFailure = SQLState(known: "08006")
    package static let protocolViolation = SQLState(known: "08P01")
    package static let featureNotSupported = SQLState(known: "0A000")
    package static let characterNotInRepertoire = SQLState(known: "22021")
    package static let untranslatableCharacter = SQLState(known: "22P05")
    package static let invalidParameterValue = SQLState(known: "22023")
    package static let activeTransaction = SQLState(known: "25001")
    package static let readOnlyTransaction = SQLState(known: "25006")
    package static let inFailedTransaction = SQLState(known: "25P02")
    package static let idleInTransactionTimeout = SQLState(known: "25P03")
    package static let transactionTimeout = SQLState(known: "25P04")
    package static let invalidStatementName = SQLState(known: "26000")
    package static let invalidAuthorization = SQLState(known: "28000")
    package static let invalidPassword = SQLState(known: "28P01")
    package static let invalidCursorName = SQLState(known: "34000")
    package static let invalidCatalogName = SQLState(known: "3D000")
    package static let insufficientPrivilege = SQLState(known: "42501")
    package static let syntaxError = SQLState(known: "42601")
    package static let nameTooLong = SQLState(known: "42622")
    package static let undefinedObject = SQLState(known: "42704")
    package static let duplicateCursor = SQLState(known: "42P03")
    package static let duplicatePreparedStatement = SQLState(known: "42P05")
    package static let insufficientResources = SQLState(known: "53000")
    package static let outOfMemory = SQLState(known: "53200")
    package static let tooManyConnections = SQLState(known: "53300")
    package static let configurationLimitExceeded = SQLState(known: "53400")
    package static let programLimitExceeded = SQLState(known: "54000")
    package static let objectNotInPrerequisiteState = SQLState(known: "55000")
    package static let lockNotAvailable = SQLState(known: "55P03")
    package static let queryCanceled = SQLState(known: "57014")
    package static let adminShutdown = SQLState(known: "57P01")
    package static let crashShutdown = SQLState(known: "57P02")
    package static let cannotConnectNow = SQLState(known: "57P03")
    package static let databaseDropped = SQLState(known: "57P04")
    package static let idleSessionTimeout = SQLState(known: "57P05")
    package static let systemError = SQLState(known: "58000")
    package static let configurationFileError = SQLState(known: "F0000")
    package static let internalError = SQLState(known: "XX000")
}
