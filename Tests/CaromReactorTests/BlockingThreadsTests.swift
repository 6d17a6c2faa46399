// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing

@testable import CaromReactor

/// Threads for calls that block: how many run, wait and are turned away.
@Suite struct BlockingThreadsTests {
    /// Jobs that block until they are let go.
    private final class Gate: Sendable {
        private let opened = SystemSemaphore()
        private let begun = SystemSemaphore()
        private let ended = SystemSemaphore()
        private let order = Mutex<[Int]>([])

        func job(_ number: Int) -> BlockingThreads.Job {
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

    @Test func asManyRunAtOnceAsThereAreThreads() {
        let (threads, gate) = (BlockingThreads(name: "test", count: 3, capacity: 10), Gate())
        for number in 1...3 { #expect(threads.submit(gate.job(number))) }
        // None has ended, so it takes three threads to begin them all.
        gate.waitForBegin(of: 3)
        gate.open(3)
        gate.waitForEnd(of: 3)
    }

    @Test func othersWaitAndBeginInTheirOrder() {
        let (threads, gate) = (BlockingThreads(name: "test", count: 1, capacity: 10), Gate())
        for number in 1...4 { #expect(threads.submit(gate.job(number))) }
        gate.waitForBegin(of: 1)
        #expect(gate.begunInOrder == [1])
        gate.open(4)
        gate.waitForEnd(of: 4)
        #expect(gate.begunInOrder == [1, 2, 3, 4])
    }

    @Test func moreThanMayWaitAreTurnedAway() {
        let (threads, gate) = (BlockingThreads(name: "test", count: 2, capacity: 1), Gate())
        for number in 1...2 { #expect(threads.submit(gate.job(number))) }
        gate.waitForBegin(of: 2)
        #expect(threads.submit(gate.job(3)))
        #expect(!threads.submit(gate.job(4)))
        gate.open(3)
        gate.waitForEnd(of: 3)
        #expect(Set(gate.begunInOrder) == [1, 2, 3])
    }

    @Test func jobsRunThoughTheirThreadsAreReleased() {
        let gate = Gate()
        do {
            let threads = BlockingThreads(name: "test", count: 1, capacity: 10)
            for number in 1...3 { #expect(threads.submit(gate.job(number))) }
        }
        gate.open(3)
        gate.waitForEnd(of: 3)
        #expect(gate.begunInOrder == [1, 2, 3])
    }
}
