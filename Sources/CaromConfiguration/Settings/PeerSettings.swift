// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A `peer` block: another pooler, to which cancels go that are meant for its clients.
package struct PeerSettings: Equatable, Sendable {
    /// Its `peer_id`, as the block is called.
    package var name: String
    /// `host`: a name, an address, or the directory of a Unix socket.
    package var host: String?
    /// `port`: also the number in a Unix socket's name.
    package var port = 6432
    /// `pool_size`: so many cancels may be under way to it at once.
    package var poolSize = 20

    package init(name: String) { self.name = name }

    /// What a peer may be numbered.
    package static let ids = 1...16383

    /// The number that its name is.
    package var id: Int? { Int(name).flatMap { Self.ids.contains($0) ? $0 : nil } }
}
