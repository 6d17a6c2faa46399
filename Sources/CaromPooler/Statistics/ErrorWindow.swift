// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How many errors there were in the last five minutes, in steps of a second. The time comes with each call.
struct ErrorWindow {
    /// Where clients were going, by the names that servers know.
    struct Place: Hashable, Sendable {
        var database: String
        var user: String
    }

    /// What has happened, and where; nil for a client that had no route.
    struct Entry: Hashable, Sendable {
        var error: SessionError
        var place: Place?
    }

    /// Seconds that count, as many as Odyssey's.
    static let length = 300

    /// Of each second in which there was one, oldest first.
    private var seconds: [(second: Int, counts: [Entry: Int])] = []

    /// One more.
    mutating func add(_ error: SessionError, at place: Place?, second: Int) {
        forget(until: second)
        if seconds.last?.second != second { seconds.append((second, [:])) }
        seconds[seconds.count - 1].counts[Entry(error: error, place: place), default: 0] += 1
    }

    /// Those that there were.
    mutating func counts(at second: Int) -> [Entry: Int] {
        forget(until: second)
        return seconds.reduce(into: [:]) { $0.merge($1.counts, uniquingKeysWith: +) }
    }

    private mutating func forget(until second: Int) {
        seconds.removeFirst(seconds.prefix { second - $0.second >= Self.length }.count)
    }
}
