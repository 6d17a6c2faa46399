// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a reactor calls when something happened that the handler registered for: an event of its socket, its timer, or a call
/// it asked for with ``Reactor/again(_:token:)``.
///
/// The call says only that it is time to look: what changed is in the state of the socket or timer. It comes on the
/// reactor's thread, never within another call of a handler, and may come for nothing. A handler may close, move and
/// release sockets, its own and others', also while events for them are pending: those are not delivered any more.
public protocol EventHandler: AnyObject {
    /// Looks at what may have changed.
    ///
    /// - Parameter token: the number that was given at the registration, to tell sources apart.
    func handle(_ token: Int)
}
