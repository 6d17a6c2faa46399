// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import CaromReactor

@Suite struct InboxTests {
    /// How often the loop was told since this was last asked: each time is one write of 1.
    func wakes(_ inbox: Inbox) -> UInt64 {
        var count: UInt64 = 0
        return read(inbox.descriptor, &count, 8) == 8 ? count : 0
    }

    @Test func aBurstFromManyThreadsWakesTheLoopOnce() async throws {
        let inbox = try Inbox()
        for round in 1...3 {
            await withDiscardingTaskGroup { group in
                for _ in 0..<8 {
                    group.addTask {
                        for _ in 0..<500 { inbox.post(call: {}) }
                        inbox.post(waker: Waker())
                    }
                }
            }
            #expect(wakes(inbox) == 1, "round \(round)")
            let contents = inbox.drain()
            #expect(contents.calls.count == 4000 && contents.wakers.count == 8)
            #expect(inbox.drain().calls.isEmpty)
        }
    }

    @Test func aLazyCallWakesNobodyAndGoesAlongWithTheNext() throws {
        let inbox = try Inbox()
        inbox.postLazily(call: {})
        #expect(wakes(inbox) == 0)
        #expect(inbox.takeLazyCalls())
        #expect(!inbox.takeLazyCalls())
        inbox.post(call: {})
        #expect(wakes(inbox) == 1)
        #expect(inbox.drain().calls.count == 2)
    }

    @Test(.timeLimit(.minutes(1))) func callsOfOneThreadAreMadeInTheirOrder() async throws {
        let made = Recorder()
        try await onReactor { reactor in
            await Task.detached {
                for number in 0..<5000 { reactor.call { made.note(number) } }
            }.value
            // Posted later, so made later.
            let waker = Waker()
            reactor.call { waker.wake() }
            await waker.wait()
        }
        #expect(made.noted == Array(0..<5000))
    }
}
