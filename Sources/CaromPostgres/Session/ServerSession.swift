// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
package import CaromTCP

/// What a connection carries from one holder to the next: what is known about the server, and what it has not taken yet.
///
/// Only the connection's present holder may look. The accessors give addresses, so that a look costs a call and no copy.
package final class ServerSession: Sendable {
    private let knowledge = UnsafeSingleOwner(ServerState())
    private let queue = UnsafeSingleOwner(OutputQueue())

    package init() {}

    var stateAddress: UnsafePointer<ServerState> { UnsafePointer(knowledge.pointer) }
    var outputAddress: UnsafePointer<OutputQueue> { UnsafePointer(queue.pointer) }

    /// What is known about the session.
    package var state: ServerState {
        unsafeAddress { stateAddress }
        unsafeMutableAddress { knowledge.pointer }
    }

    /// Bytes that the server has not taken yet.
    package var output: OutputQueue {
        unsafeAddress { outputAddress }
        unsafeMutableAddress { queue.pointer }
    }
}
