// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor

/// Looks at intervals whether something has come about, on a reactor's thread.
final class ConsoleWatch: EventHandler {
    private let reactor: Reactor
    private let isDone: @Sendable () -> Bool
    private let done: @Sendable () -> Void
    private var timer: ReactorTimer?

    /// What is watched goes on for as long as transactions take, so nobody misses these milliseconds.
    private static let interval = Duration.milliseconds(20)

    private init(
        _ reactor: Reactor, _ isDone: @escaping @Sendable () -> Bool, _ done: @escaping @Sendable () -> Void
    ) {
        self.reactor = reactor
        self.isDone = isDone
        self.done = done
    }

    /// Begins; on the reactor's thread. Its timer keeps it until it is over.
    static func begin(
        on reactor: Reactor, until isDone: @escaping @Sendable () -> Bool,
        _ done: @escaping @Sendable () -> Void
    ) {
        let watch = ConsoleWatch(reactor, isDone, done)
        watch.timer = reactor.makeTimer(watch)
        watch.handle(0)
    }

    func handle(_ token: Int) {
        guard let timer else { return }
        if !isDone() { return reactor.arm(timer, at: .now + Self.interval) }
        self.timer = nil
        done()
    }
}
