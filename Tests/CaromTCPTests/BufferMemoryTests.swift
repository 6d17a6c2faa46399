// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTCP
import Testing

/// What waits is counted for the whole process, and other tests keep bytes as well: differences of a size that nobody else has.
@Suite struct BufferMemoryTests {
    private static let size = 1 << 28

    @Test func whatWaitsCountsUntilItIsGone() {
        let before = BufferMemory.bytes
        do {
            var queue = OutputQueue()
            queue.append([UInt8](repeating: 0, count: Self.size))
            #expect(queue.count == Self.size && !queue.isEmpty)
            #expect(BufferMemory.bytes - before > Self.size / 2)
            let passedOn = queue
            queue = OutputQueue()
            #expect(BufferMemory.bytes - before > Self.size / 2 && passedOn.count == Self.size)
        }
        #expect(BufferMemory.bytes - before < Self.size / 2)
    }

    @Test func nothingIsNotKept() {
        var queue = OutputQueue()
        queue.append([])
        #expect(queue.isEmpty && queue.count == 0)
    }
}
