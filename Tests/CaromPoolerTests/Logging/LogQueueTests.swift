// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPooler

/// What waits for the thread that writes: order, bound and count.
@Suite struct LogQueueTests {
    @Test func elementsComeOutInTheirOrder() {
        let queue = LogQueue<Int>(limit: 100)
        #expect(queue.takeAll().isEmpty)
        #expect(queue.offer(1, bytes: 10) == .queued(mustWake: true))
        #expect(queue.offer(2, bytes: 10) == .queued(mustWake: false))
        #expect(queue.put(3) == false)
        #expect(queue.takeAll() == [1, 2, 3])
        #expect(queue.put(4) == true)
        #expect(queue.takeAll() == [4])
    }

    @Test func whatDoesNotFitIsCounted() {
        let queue = LogQueue<Int>(limit: 100)
        #expect(queue.offer(1, bytes: 100) == .queued(mustWake: true))
        #expect(queue.offer(2, bytes: 1) == .dropped)
        #expect(queue.offer(3, bytes: 1) == .dropped)
        // Orders always fit.
        #expect(queue.put(4) == false)
        // What was taken but is not written yet takes room still.
        #expect(queue.takeAll() == [1, 4])
        #expect(queue.offer(5, bytes: 1) == .dropped)
        queue.release(bytes: 40)
        #expect(queue.offer(6, bytes: 41) == .dropped)
        #expect(queue.offer(7, bytes: 40) == .queued(mustWake: true))
        #expect(queue.droppedCount == 4)
        #expect(queue.takeAll() == [7])
    }

    @Test func nothingIsLostOfWhatManyThreadsPutIn() async {
        let queue = LogQueue<Int>(limit: .max)
        let taken = await withTaskGroup(of: [Int].self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0..<1000 { _ = queue.offer(writer * 1000 + number, bytes: 1) }
                    return []
                }
            }
            group.addTask { (0..<1000).flatMap { _ in queue.takeAll() } }
            return await group.reduce([], +)
        }
        let all = taken + queue.takeAll()
        #expect(all.count == 8000 && Set(all).count == 8000)
        for writer in 0..<8 {
            // Each thread's own come in the order in which it put them in.
            let own = all.filter { $0 / 1000 == writer }
            #expect(own == own.sorted())
        }
    }
}
