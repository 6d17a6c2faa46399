// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What ReadyForQuery says about the session's transaction.
package enum TransactionStatus: UInt8, CaseIterable, Sendable {
    /// `I`: outside a transaction block.
    case idle = 0x49
    /// `T`: inside a transaction block.
    case inTransaction = 0x54
    /// `E`: inside a transaction block that failed; everything but its end is refused.
    case failed = 0x45
}
