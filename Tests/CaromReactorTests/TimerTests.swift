// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromReactor

@Suite struct TimerTests {
    @Test(.timeLimit(.minutes(1))) func aDisarmedTimerWakesNobody() async throws {
        let woken = Recorder()
        try await onReactor { reactor in
            let (quiet, loud) = (Waker(), Waker())
            let (first, second) = (reactor.makeTimer(quiet), reactor.makeTimer(loud))
            let now = Deadline.now
            reactor.arm(first, at: now + .milliseconds(1))
            reactor.arm(second, at: now + .milliseconds(3))
            let waiting = Task(executorPreference: reactor) {
                await quiet.wait()
                woken.note(1)
            }
            reactor.disarm(first)
            reactor.disarm(first)
            #expect(!first.isDue(at: .never))
            await loud.wait()
            await reactor.nextTurn()
            #expect(woken.noted == [])
            quiet.wake()
            await waiting.value
        }
        #expect(woken.noted == [1])
    }

    @Test(.timeLimit(.minutes(1))) func aSleepEndsWhenItsTaskIsCancelled() async throws {
        let (early, late, whole) = try await onReactor { reactor in
            let hour = Duration.seconds(3600)
            let early = Task(executorPreference: reactor) { await reactor.sleep(for: hour) }
            early.cancel()
            let late = Task(executorPreference: reactor) { await reactor.sleep(for: hour) }
            // Turns enough for it to be asleep.
            for _ in 0..<3 { await reactor.nextTurn() }
            late.cancel()
            return (await early.value, await late.value, await reactor.sleep(for: .milliseconds(1)))
        }
        #expect((early, late, whole) == (false, false, true))
    }

    @Test(.timeLimit(.minutes(1))) func thousandsOfTimersArmedAndMostDisarmedLeaveTheRestInOrder()
        async throws
    {
        let fired = try await onReactor { reactor in
            let waker = Waker()
            let start = Deadline.now
            let timers = (0..<4000).map { _ in reactor.makeTimer(waker) }
            for (index, timer) in timers.enumerated() {
                reactor.arm(timer, at: start + .microseconds((index * 7919) % 4000))
            }
            for (index, timer) in timers.enumerated() where index % 100 != 0 { reactor.disarm(timer) }
            let kept = stride(from: 0, to: 4000, by: 100).map { timers[$0] }
            while !kept.allSatisfy({ $0.isDue(at: Deadline.now) }) { await waker.wait() }
            return kept.count
        }
        #expect(fired == 40)
    }
}
