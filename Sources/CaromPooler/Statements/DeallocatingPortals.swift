// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Portals that end prepared statements when they run: a Bind alone ends nothing.
struct DeallocatingPortals {
    private struct Portal {
        let portal: [UInt8]
        /// The client's name and the server's number of the one that is ended; nil for all of them, and for what is none of the client's.
        let target: (name: [UInt8], number: UInt64)?
    }

    private var portals: [Portal] = []
    /// The number of the last Execute that may end all statements.
    private var lastEnd: UInt64 = 0

    var isEmpty: Bool { portals.isEmpty }

    /// Whether it shows only when an Execute is answered which statements there are.
    func isOpen(_ flow: borrowing QueryFlow) -> Bool { lastEnd > flow.extendedDone }

    /// The message that was sent last makes a portal.
    ///
    /// - Parameter isDeallocating: it ends the target, or all statements if there is none.
    mutating func bound(
        _ portal: RawSpan, isDeallocating: Bool, target: (name: [UInt8], number: UInt64)? = nil
    ) {
        portals.removeAll { NameTable<Portal>.isSame($0.portal, portal) }
        if isDeallocating { portals.append(Portal(portal: portal.array(), target: target)) }
    }

    /// The message that was sent last runs a portal.
    mutating func ran(_ portal: RawSpan, _ names: inout StatementNames, _ server: inout ServerState) {
        guard let found = portals.first(where: { NameTable<Portal>.isSame($0.portal, portal) }) else {
            return
        }
        guard let target = found.target else {
            lastEnd = server.flow.extendedSent
            return
        }
        server.statements.doubt(target.number)
        if names[target.name.span.bytes]?.statement.number == target.number {
            names.end(target.name.span.bytes, by: server.flow.extendedSent, server.flow)
        }
    }

    /// No portal is left: a transaction begins.
    mutating func removeAll() { if !portals.isEmpty { portals = [] } }

    /// The client's server goes back.
    @inline(__always)
    mutating func settle() {
        removeAll()
        lastEnd = 0
    }
}
