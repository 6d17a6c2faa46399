// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Testing

@testable import CaromReactor

/// Threads for calls that block: how many run, wait and are turned away, and who waits for whom.
@Suite struct BlockingThreadsTests {
    /// Jobs that block until they are let go.
    private final class Gate: Sendable {
        private let opened = SystemSemaphore()
        private let begun = SystemSemaphore()
        private let ended = SystemSemaphore()
        private let order = Mutex<[Int]>([])

        func job(_ number: Int) -> BlockingThreads<String>.Job {
            {
                self.order.withLock { $0.append(number) }
                self.begun.signal()
                self.opened.wait()
                self.ended.signal()
            }
        }

        var begunInOrder: [Int] { order.withLock { $0 } }
        func waitForBegin(of count: Int) { for _ in 0..<count { begun.wait() } }
        func waitForEnd(of count: Int) { for _ in 0..<count { ended.wait() } }
        func open(_ count: Int) { for _ in 0..<count { opened.signal() } }
    }

    private static func threads(count: Int, capacity: Int) -> BlockingThreads<String> {
        BlockingThreads(name: "test", count: count, capacity: capacity)
    }

    @Test func asManyRunAtOnceAsThereAreThreads() {
        let (threads, gate) = (Self.threads(count: 3, capacity: 10), Gate())
        for number in 1...3 { #expect(threads.submit(for: "a", gate.job(number)) != nil) }
        // None has ended, so it takes three threads to begin them all.
        gate.waitForBegin(of: 3)
        gate.open(3)
        gate.waitForEnd(of: 3)
    }

    @Test func othersWaitAndBeginInTheirOrder() {
        let (threads, gate) = (Self.threads(count: 1, capacity: 10), Gate())
        for number in 1...4 { #expect(threads.submit(for: "a", gate.job(number)) != nil) }
        gate.waitForBegin(of: 1)
        #expect(gate.begunInOrder == [1])
        gate.open(4)
        gate.waitForEnd(of: 4)
        #expect(gate.begunInOrder == [1, 2, 3, 4])
    }

    @Test func moreThanMayWaitAreTurnedAway() {
        let (threads, gate) = (Self.threads(count: 2, capacity: 1), Gate())
        for number in 1...2 { #expect(threads.submit(for: "a", gate.job(number)) != nil) }
        gate.waitForBegin(of: 2)
        #expect(threads.submit(for: "a", gate.job(3)) != nil)
        #expect(threads.submit(for: "a", gate.job(4)) == nil)
        gate.open(3)
        gate.waitForEnd(of: 3)
        #expect(Set(gate.begunInOrder) == [1, 2, 3])
    }

    @Test func whoeverIsCalledByAnotherKeyHasThreadsOfItsOwn() {
        let (threads, gate, other) = (Self.threads(count: 2, capacity: 1), Gate(), Gate())
        for number in 1...3 { #expect(threads.submit(for: "silent", gate.job(number)) != nil) }
        #expect(threads.submit(for: "silent", gate.job(4)) == nil)
        gate.waitForBegin(of: 2)
        for number in 1...3 { #expect(threads.submit(for: "other", other.job(number)) != nil) }
        other.open(3)
        other.waitForEnd(of: 3)
        #expect(Set(gate.begunInOrder) == [1, 2])
        gate.open(3)
        gate.waitForEnd(of: 3)
    }

    @Test func aJobThatIsTakenBackLeavesItsPlaceToAnother() throws {
        let (threads, gate) = (Self.threads(count: 1, capacity: 2), Gate())
        let tickets = try (1...3).map { try #require(threads.submit(for: "a", gate.job($0))) }
        gate.waitForBegin(of: 1)
        #expect(threads.submit(for: "a", gate.job(4)) == nil)
        threads.cancel(tickets[1])
        threads.cancel(tickets[1])
        #expect(threads.submit(for: "a", gate.job(5)) != nil)
        #expect(threads.submit(for: "a", gate.job(6)) == nil)
        // It has begun.
        threads.cancel(tickets[0])
        gate.open(3)
        gate.waitForEnd(of: 3)
        #expect(gate.begunInOrder == [1, 3, 5])
    }

    @Test func whatAJobHoldsIsReleasedWhenItIsTakenBack() throws {
        let (threads, gate) = (Self.threads(count: 1, capacity: 2), Gate())
        #expect(threads.submit(for: "a", gate.job(1)) != nil)
        var held: Gate? = Gate()
        weak let observed = held
        let submitted = threads.submit(for: "a") { [held] in held?.open(1) }
        let ticket = try #require(submitted)
        held = nil
        #expect(observed != nil)
        threads.cancel(ticket)
        #expect(observed == nil)
        gate.open(1)
        gate.waitForEnd(of: 1)
    }

    @Test func nothingIsLeftOfAKeyThatNobodyCalls() throws {
        let (threads, gate) = (Self.threads(count: 2, capacity: 10), Gate())
        for key in ["a", "b"] {
            for number in 1...4 { #expect(threads.submit(for: key, gate.job(number)) != nil) }
        }
        #expect(threads.keyCount == 2)
        gate.open(8)
        gate.waitForEnd(of: 8)
        let limit = Deadline.now + .seconds(10)
        while threads.keyCount > 0, Deadline.now < limit { sched_yield() }
        #expect(threads.keyCount == 0)
    }

    @Test func jobsRunThoughTheirThreadsAreReleased() {
        let gate = Gate()
        do {
            let threads = Self.threads(count: 1, capacity: 10)
            for number in 1...3 { #expect(threads.submit(for: "a", gate.job(number)) != nil) }
        }
        gate.open(3)
        gate.waitForEnd(of: 3)
        #expect(gate.begunInOrder == [1, 2, 3])
    }
}
