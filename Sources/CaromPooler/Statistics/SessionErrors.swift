// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Synchronization

/// The errors of all workers' clients: an ``ErrorWindow`` by the clock. Errors end sessions, so its lock is seldom asked for.
final class SessionErrors: Sendable {
    private let window = Mutex(ErrorWindow())

    private static var second: Int { Int(Deadline.now.nanoseconds / 1_000_000_000) }

    /// One more, from any thread.
    ///
    /// - Parameter route: where the client was going; nil if it had none.
    func count(_ error: SessionError, of route: Route.Key?) {
        let place = route.map { ErrorWindow.Place(database: $0.database, user: $0.user) }
        window.withLock { $0.add(error, at: place, second: Self.second) }
    }

    /// Those of the last five minutes, from any thread.
    var counts: [ErrorWindow.Entry: Int] { window.withLock { $0.counts(at: Self.second) } }
}
