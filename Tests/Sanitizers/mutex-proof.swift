// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

// Four threads add to one number, "guarded" by a Synchronization.Mutex or "racy" without. Built with ThreadSanitizer,
// Swift 6.3 reports a race in both cases, the first one wrongly: see mutex-edges.c.

import Glibc
import Synchronization

// Unchecked: the point of the program is who guards `value`, and whether that is noticed.
final class Counter: @unchecked Sendable {
    private let mutex = Mutex(())
    private(set) var value = 0
    private let isGuarded: Bool

    init(isGuarded: Bool) { self.isGuarded = isGuarded }

    func add() {
        if isGuarded {
            mutex.withLock { _ in value += 1 }
        } else {
            value += 1
        }
    }
}

let counter = Counter(isGuarded: CommandLine.arguments.dropFirst().first == "guarded")
var threads: [pthread_t] = []
for _ in 0..<4 {
    var thread = pthread_t()
    pthread_create(
        &thread, nil,
        { argument in
            guard let argument else { return nil }
            let counter = Unmanaged<Counter>.fromOpaque(argument).takeUnretainedValue()
            for _ in 0..<20_000 { counter.add() }
            return nil
        }, Unmanaged.passUnretained(counter).toOpaque())
    threads.append(thread)
}
for thread in threads { pthread_join(thread, nil) }
print(counter.value)
