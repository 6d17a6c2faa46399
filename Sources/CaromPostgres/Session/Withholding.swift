// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// Whether the next ReadyForQuery of the client's that leaves nothing under way is kept from it, until the pooler has done something.
package struct Withholding: Sendable {
    private enum Mode {
        case none
        case openTransaction
        case always
    }

    private var mode = Mode.none

    package init() {}

    /// It is kept.
    package mutating func begin() { mode = .always }

    /// It is kept if it leaves a transaction open.
    package mutating func beginIfOpen() { if mode == .none { mode = .openTransaction } }

    /// It is passed on.
    package mutating func end() { mode = .none }

    /// Whether the one that has come is kept; that ends it.
    @inline(__always)
    mutating func takes(_ flow: borrowing QueryFlow) -> Bool { mode != .none && decides(flow) }

    @inline(never)
    private mutating func decides(_ flow: borrowing QueryFlow) -> Bool {
        if flow.awaitsServer { return false }
        defer { mode = .none }
        return mode == .always || flow.transactionStatus != .idle
    }
}
