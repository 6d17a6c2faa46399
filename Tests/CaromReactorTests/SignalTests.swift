// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import CaromReactor

/// In processes of their own: a signal that is not caught would end the tests. The signals are sent to the reactor's
/// thread alone, because the other threads of a test process do not block them.
@Suite struct SignalTests {
    @Test(.timeLimit(.minutes(1))) func signalsComeAsEventsInsteadOfEndingTheProcess() async {
        await #expect(processExitsWith: .success) {
            try await onReactor { reactor in
                Signals.block([SIGUSR1, SIGUSR2])
                let signals = try Signals([SIGUSR1, SIGUSR2], reactor: reactor)
                let thread = pthread_self()
                // Sent before anybody waits, and while somebody does.
                pthread_kill(thread, SIGUSR2)
                try #require(await signals.next() == SIGUSR2)
                for _ in 0..<100 {
                    let sending = Task.detached { pthread_kill(thread, SIGUSR1) }
                    try #require(await signals.next() == SIGUSR1)
                    try #require(await sending.value == 0)
                }
            }
        }
    }

    @Test(.timeLimit(.minutes(1))) func waitingForASignalEndsAtItsDeadlineAndWhenCancelled() async {
        await #expect(processExitsWith: .success) {
            try await onReactor { reactor in
                Signals.block([SIGUSR1])
                let signals = try Signals([SIGUSR1], reactor: reactor)
                let deadline = Deadline.now + .milliseconds(5)
                try #require(await signals.next(until: deadline) == nil)
                try #require(.now >= deadline)
                pthread_kill(pthread_self(), SIGUSR1)
                try #require(
                    await signals.next(until: .now) == nil, "a deadline in the past still waits")
                try #require(await signals.next() == SIGUSR1, "the end of a wait lost a later signal")
                let waiting = Task(executorPreference: reactor) {
                    await (try Signals([SIGUSR1], reactor: reactor)).next()
                }
                // Turns enough for it to be waiting.
                for _ in 0..<3 { await reactor.nextTurn() }
                waiting.cancel()
                try #require(try await waiting.value == nil)
            }
        }
    }
}
