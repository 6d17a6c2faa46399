// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import Glibc
import Synchronization
import Testing

@testable import CaromReactor

/// Runs `body` as a task on a reactor of its own and ends the reactor afterwards.
func onReactor<R: Sendable>(_ body: @escaping @Sendable (Reactor) async throws -> R) async throws -> R {
    let reactor = try Reactor(name: "test")
    try reactor.start()
    defer { reactor.stop() }
    return try await Task(executorPreference: reactor) { try await body(reactor) }.value
}

@Suite struct ReactorTests {
    @Test func aTaskThatPrefersAReactorRunsOnItsThreadFromBeginningToEnd() async throws {
        let places = try await onReactor { reactor in
            var places = [reactor.isCurrent]
            await Task.yield()
            places.append(reactor.isCurrent)
            await nested(reactor, &places)
            return places
        }
        #expect(places == [true, true, true, true])
    }

    @Test func aWakeBeforeTheWaitIsNotLost() async throws {
        try await onReactor { _ in
            let waker = Waker()
            waker.wake()
            waker.wake()
            await waker.wait()
        }
    }

    @Test func anotherThreadCanWakeACoroutine() async throws {
        try await onReactor { reactor in
            for _ in 0..<1000 {
                let waker = Waker()
                Task.detached { reactor.wake(waker) }
                await waker.wait()
            }
        }
    }

    @Test func timersFireInTheOrderOfTheirDeadlines() async throws {
        let order = try await onReactor { reactor in
            let order = Recorder()
            let start = Deadline.now
            await withDiscardingTaskGroup { group in
                for milliseconds in [9, 3, 6, 1] {
                    group.addTask(executorPreference: reactor) {
                        let waker = Waker()
                        let timer = reactor.makeTimer(waker)
                        reactor.arm(timer, at: start + .milliseconds(milliseconds))
                        await waker.wait()
                        order.note(milliseconds)
                    }
                }
            }
            return order.noted
        }
        #expect(order == [1, 3, 6, 9])
    }

    @Test func aTimerMovedIntoTheFutureDoesNotFireAtItsOldDeadline() async throws {
        let early = try await onReactor { reactor in
            let waker = Waker()
            let timer = reactor.makeTimer(waker)
            let start = Deadline.now
            reactor.arm(timer, at: start + .milliseconds(1))
            reactor.arm(timer, at: start + .milliseconds(20))
            await waker.wait()
            return Deadline.now < start + .milliseconds(20)
        }
        #expect(!early)
    }
}

final class Recorder: Sendable {
    private let values = Mutex<[Int]>([])
    var noted: [Int] { values.withLock { $0 } }
    func note(_ value: Int) { values.withLock { $0.append(value) } }
}

private func nested(_ reactor: Reactor, _ places: inout [Bool]) async {
    await Task.yield()
    places.append(reactor.isCurrent)
    let child = await withTaskGroup(of: Bool.self) { group in
        group.addTask { reactor.isCurrent }
        return await group.next()!
    }
    places.append(child)
}

@Suite struct TimerQueueTests {
    @Test(arguments: 1...20) func randomArmingAndDisarmingKeepsTheOrder(seed: UInt64) {
        var generator = SeededRandom(seed: seed)
        var queue = TimerQueue()
        let timers = (0..<50).map { _ in ReactorTimer(Waker()) }
        for _ in 0..<2000 {
            let timer = timers.randomElement(using: &generator)!
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: queue.disarm(timer)
            case 1:
                let now = Deadline(nanoseconds: .random(in: 0..<500, using: &generator))
                while let due = queue.popDue(at: now) {
                    #expect(due.deadline <= now)
                    queue.disarm(due)
                }
                #expect(timers.allSatisfy { $0.deadline > now })
            default: queue.arm(timer, at: Deadline(nanoseconds: .random(in: 0..<1000, using: &generator)))
            }
            let earliest = timers.map(\.deadline).min()!
            #expect((queue.earliest ?? .never) <= earliest)
        }
    }
}
