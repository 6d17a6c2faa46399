// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// Finds out whether a client that has closed its side is still there while it waits for its first answer. One that has only closed the
/// side that it sends on reads a notice and goes on waiting; one that is gone resets the connection, and the next look at it shows that.
struct PresenceCheck {
    private var wasAsked = false

    /// What every client takes at any time (protocol chapter "Asynchronous Operations"), where nothing is known yet that it has been told.
    static let notice: [UInt8] = {
        var bytes: [UInt8] = []
        ErrorFields(
            severity: .debug, code: .successfulCompletion, message: "the end of the input was received"
        )
        .encode(asNotice: true, into: &bytes)
        return bytes
    }()

    /// To be called at every event of a client that has hung up.
    ///
    /// - Throws: `clientLeft` if nobody is there.
    mutating func run(_ transport: Transport, _ output: inout OutputQueue) throws(SessionEnd) {
        do throws(SystemError) {
            if !wasAsked { try output.write(Self.notice, to: transport) }
        } catch {
            throw .clientLeft
        }
        wasAsked = true
        if transport.isGone { throw .clientLeft }
    }
}
