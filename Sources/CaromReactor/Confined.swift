// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A value that has one owner at a time: mutable state behind a reference that may travel between threads.
///
/// The compiler cannot see that a pooled connection is used by its claim's holder only, and that the pool's lock
/// orders one holder's last use before the next one's first. This box is the one place that says so.
public final class Confined<Value>: @unchecked Sendable {
    // Unchecked: see above; every hand-over goes through a lock or a task's start.

    // One owner, one thread: nobody else can be inside, so the run-time check for that is left out (it is on every path
    // of every byte).
    /// The state; only its present owner may look.
    @exclusivity(unchecked) public var value: Value

    /// Takes the state in.
    @inlinable
    public init(_ value: sending Value) { self.value = value }
}
