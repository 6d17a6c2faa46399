// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import Glibc

/// A client that is turned away at the door: told why, and closed at once, because its descriptor is needed.
struct Refusal {
    private let fields: ErrorFields

    /// For want of descriptors.
    init(_ budget: DescriptorBudget) {
        fields = ErrorFields(
            severity: .fatal, code: .tooManyConnections, message: "too many clients",
            detail:
                "The pooler may have \(budget.limit) files open and keeps \(budget.reserve) for servers (ulimit -n)."
        )
    }

    /// What is told.
    var reason: String { [fields.message, fields.detail].compactMap { $0 }.joined(separator: ": ") }

    /// Says it and closes.
    func send(to client: Listener.Accepted) {
        var ignored = [UInt8](repeating: 0, count: 16_384)
        // Bytes that nobody has read would reset the connection when it is closed, and what was said last would be lost.
        _ = recv(client.descriptor, &ignored, ignored.count, Int32(MSG_DONTWAIT))
        var bytes: [UInt8] = []
        fields.encode(into: &bytes)
        _ = Glibc.send(
            client.descriptor, bytes, bytes.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
        close(client.descriptor)
    }
}
