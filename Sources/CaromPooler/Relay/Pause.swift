// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Whether a client's next messages wait until what it has sent is answered.
struct Pause {
    private(set) var isOn = false
    /// It began in the middle of a batch, where the server was asked for the answers so far.
    private var isInBatch = false

    /// They wait for a ReadyForQuery.
    mutating func begin() { isOn = true }

    /// They wait for the answers. Where no ReadyForQuery is to come, the server is asked for them.
    mutating func begin(_ flow: borrowing QueryFlow, _ out: inout Segments) {
        isOn = true
        if !flow.hasUnsyncedMessages { return }
        isInBatch = true
        out.append { $0.appendEmptyMessage(FrontendTag.flush.rawValue) }
    }

    mutating func end() {
        isOn = false
        isInBatch = false
    }

    /// Ends it in the middle of a batch, if the answers are there.
    ///
    /// - Returns: whether the client's bytes go on; those of a COPY go on all the same.
    mutating func goesOn(_ flow: borrowing QueryFlow) -> Bool {
        if !isOn { return false }
        if flow.awaitsClientData { return true }
        if !isInBatch || flow.awaitsServer { return false }
        end()
        return true
    }
}
