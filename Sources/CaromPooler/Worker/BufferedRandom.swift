// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// The system's random source, read in blocks: an id and a cancel key for each client would be four system calls otherwise.
///
/// What has been handed out is overwritten, so that nothing in memory tells of keys that were given before.
struct BufferedRandom: RandomNumberGenerator {
    private var words: [UInt64] = []

    /// Words in a block: 32 clients' worth.
    private static var blockWords: Int { 128 }

    mutating func next() -> UInt64 {
        if words.isEmpty { refill() }
        let word = words[words.count - 1]
        words[words.count - 1] = 0
        words.removeLast()
        return word
    }

    private mutating func refill() {
        words = Array(repeating: 0, count: Self.blockWords)
        let size = words.count * MemoryLayout<UInt64>.size
        let count = words.withUnsafeMutableBytes { getrandom($0.baseAddress, $0.count, 0) }
        if count == size { return }
        // Before the kernel has gathered entropy, or when a signal came in between.
        var source = SystemRandomNumberGenerator()
        for index in words.indices { words[index] = source.next() }
    }
}
