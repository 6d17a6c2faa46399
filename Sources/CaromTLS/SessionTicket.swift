// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL
import Synchronization

/// A resumable session a server gave to this client.
// Unchecked: SSL_SESSION is counted and locked by OpenSSL, and not changed after it has been handed out.
final class SessionTicket: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes over one reference.
    init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        SSL_SESSION_free(pointer)
    }
}

extension TLSContext {
    /// How many servers a client remembers; beyond that all are forgotten, which costs full handshakes only.
    static let ticketLimit = 1024

    func keep(_ ticket: SessionTicket, for name: String) {
        tickets.withLock { tickets in
            if tickets.count >= Self.ticketLimit, tickets[name] == nil { tickets.removeAll() }
            tickets[name] = ticket
        }
    }

    func ticket(for name: String) -> SessionTicket? {
        tickets.withLock { $0[name] }
    }
}
