// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTCP

/// What a session is doing: login, relay, console or farewell, one after the other. The loop calls the stage directly.
protocol SessionStage: EventHandler {
    /// Gives back what the stage holds. It is not called any more, or does nothing when it is.
    ///
    /// - Returns: what the client has not taken yet.
    func leave() -> OutputQueue

    /// The pooler goes down: the session ends as soon as it holds no server.
    func stop()

    /// The session ends, whatever it is doing.
    func abort()
}
