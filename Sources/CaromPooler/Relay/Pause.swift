// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Whether a client's next messages wait until what it has sent is answered.
struct Pause {
    /// Why they may wait; nothing for most clients, most of the time.
    private var reasons: UInt8 = 0

    private static var asked: UInt8 { 1 }
    /// It began in the middle of a batch, where the server was asked for the answers so far.
    private static var inBatch: UInt8 { 2 }
    private static var oneAtATime: UInt8 { 4 }
    /// What the client listens to has changed, if its transaction goes well.
    private static var listening: UInt8 { 8 }

    /// They wait for what was sent before.
    var isOn: Bool { reasons & Self.asked != 0 }

    /// From now on each request waits until the one before is answered, and none may leave a transaction open (statement pooling).
    mutating func takeOneAtATime() { reasons |= Self.oneAtATime }

    /// Requests go one at a time.
    var isOneAtATime: Bool { reasons & Self.oneAtATime != 0 }

    /// Until ``endListening()`` each request waits until the one before is answered, and its ReadyForQuery is kept back.
    mutating func beginListening() { reasons |= Self.asked | Self.listening }

    mutating func endListening() { reasons &= ~Self.listening }

    /// They wait for a ReadyForQuery.
    mutating func begin() { reasons |= Self.asked }

    /// They wait for the answers. Where no ReadyForQuery is to come, the server is asked for them.
    mutating func begin(_ flow: borrowing QueryFlow, _ out: inout Segments) {
        reasons |= Self.asked
        if !flow.hasUnsyncedMessages { return }
        reasons |= Self.inBatch
        out.append { $0.appendEmptyMessage(FrontendTag.flush.rawValue) }
    }

    mutating func end() { reasons &= Self.oneAtATime | Self.listening }

    /// Whether they wait now; those of a COPY go on all the same.
    @inline(__always)
    func holds(_ server: borrowing ServerState) -> Bool { reasons != 0 && waits(server.flow) }

    /// Whether the next message goes on.
    @inline(__always)
    func admits(_ server: inout ServerState) -> Bool { reasons == 0 || admitsOne(&server) }

    @inline(never)
    private func admitsOne(_ server: inout ServerState) -> Bool {
        if waits(server.flow) { return false }
        if isOneAtATime { server.withholding.beginIfOpen() }
        if reasons & Self.listening != 0 { server.withholding.begin() }
        return true
    }

    @inline(never)
    private func waits(_ flow: borrowing QueryFlow) -> Bool {
        !flow.awaitsClientData && (isOn || flow.outstandingReady > 0)
    }

    /// A ReadyForQuery may have let them go on.
    var mayHaveHeld: Bool { reasons != 0 }

    /// Ends it in the middle of a batch, if the answers are there.
    ///
    /// - Returns: whether the client's bytes go on; those of a COPY go on all the same.
    mutating func goesOn(_ flow: borrowing QueryFlow) -> Bool {
        if reasons == 0 { return false }
        if flow.awaitsClientData { return true }
        if reasons & Self.inBatch == 0 || flow.awaitsServer { return false }
        end()
        return true
    }
}
