// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Synchronization
import Testing

/// Threads without a loop, how they are woken, and the end of a loop.
@Suite struct ThreadTests {
    @Test func aSemaphoreLetsThroughAsManyAsWereSignaled() {
        let semaphore = SystemSemaphore()
        semaphore.signal()
        semaphore.signal()
        semaphore.wait()
        #expect(semaphore.wait(until: .now))
        #expect(!semaphore.wait(until: .now))
        #expect(!semaphore.wait(until: .now + .milliseconds(1)))
        semaphore.signal()
        #expect(semaphore.wait(until: .never))
    }

    @Test func jobsAreDoneInTheirOrderBesideWhoeverAsks() throws {
        let done = Mutex<[Int]>([])
        let (gate, end) = (SystemSemaphore(), SystemSemaphore())
        var thread: ComputingThread? = try ComputingThread(name: "jobs")
        thread?.submit { gate.wait() }
        for number in 0..<100 { thread?.submit { done.withLock { $0.append(number) } } }
        #expect(done.withLock { $0.isEmpty })
        thread?.submit { end.signal() }
        // What was submitted is done even if nobody is there to ask for more.
        thread = nil
        gate.signal()
        end.wait()
        #expect(done.withLock { $0 } == Array(0..<100))
    }

    /// Otherwise a descriptor that was on its way to a loop would stay open, with nobody to serve or close it.
    @Test func callsFromBeforeAStopAreMade() throws {
        let reactor = try Reactor(name: "stopped")
        try reactor.start()
        let made = Atomic<Int>(0)
        let (isBusy, gate, end) = (SystemSemaphore(), SystemSemaphore(), SystemSemaphore())
        reactor.call {
            isBusy.signal()
            gate.wait()
        }
        isBusy.wait()
        // The loop stands in a call: all of this comes behind its look at the inbox.
        for _ in 0..<10 { reactor.call { made.add(1, ordering: .relaxed) } }
        reactor.call { end.signal() }
        reactor.stop()
        gate.signal()
        #expect(end.wait(until: .now + .seconds(60)))
        #expect(made.load(ordering: .relaxed) == 10)
    }
}
