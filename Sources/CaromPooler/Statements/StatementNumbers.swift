// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Numbers and times of the prepared statements of all routes. A client whose route gets other servers takes its statements along, so
/// no number means two of them anywhere.
final class StatementNumbers: Sendable {
    private let numbers = Atomic<UInt64>(0)
    private let clock = Atomic<UInt64>(0)

    /// One that no statement has had.
    func next() -> UInt64 { numbers.wrappingAdd(1, ordering: .relaxed).newValue }

    /// A point in time, by which it is known whether a server's copy of a statement is older than a client's Parse.
    func now() -> UInt64 { clock.wrappingAdd(1, ordering: .relaxed).newValue }
}
