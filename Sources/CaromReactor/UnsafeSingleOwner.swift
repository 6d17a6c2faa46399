// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A value that has one owner at a time: mutable state behind a reference that travels between threads. Unchecked.
///
/// The compiler cannot see that a pooled connection is used by its claim's holder only, and that the pool's lock orders one
/// holder's last use before the next one's first. Users of this box vouch for both. Accesses go straight to the memory:
/// there is neither an exclusivity check nor a copy, from other modules either, so no two accesses may overlap.
package final class UnsafeSingleOwner<Value: ~Copyable>: @unchecked Sendable {
    // Unchecked: every hand-over goes through a lock or a task's start.

    /// Where the state is.
    @usableFromInline package let pointer: UnsafeMutablePointer<Value>

    /// The state; only its present owner may look.
    package final var value: Value {
        @inlinable unsafeAddress { UnsafePointer(pointer) }
        @inlinable unsafeMutableAddress { pointer }
    }

    /// Takes the state in.
    @inlinable
    package init(_ value: consuming sending Value) {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: value)
    }

    @inlinable deinit {
        pointer.deinitialize(count: 1)
        pointer.deallocate()
    }
}
