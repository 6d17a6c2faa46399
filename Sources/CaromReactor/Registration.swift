// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// One descriptor's seat in one reactor: what epoll has said about it, and whom to wake.
///
/// Belongs to its reactor's thread. When a socket moves to another reactor it gets a new seat there, and the
/// old one is only ever touched by the old thread: a late event finds a seat without a waker and is lost, which
/// is harmless because registering with the new epoll reports the present state again.
///
/// What epoll has said is atomic, because a pool looks at an idle connection from the thread that wants it.
final class Registration {
    let descriptor: Int32
    // Only ever read and replaced as a whole.
    @exclusivity(unchecked) var waker: Waker?
    private let readable = Atomic<Bool>(false)
    private let writable = Atomic<Bool>(false)
    private let hungUp = Atomic<Bool>(false)

    /// Data, an end of stream or an error is waiting to be read, as far as is known.
    var isReadable: Bool {
        get { readable.load(ordering: .relaxed) }
        set { readable.store(newValue, ordering: .relaxed) }
    }

    /// Writing is worth a try.
    var isWritable: Bool {
        get { writable.load(ordering: .relaxed) }
        set { writable.store(newValue, ordering: .relaxed) }
    }

    /// The peer has ended its side, or the socket failed. Never goes back to `false`.
    var isHungUp: Bool {
        get { hungUp.load(ordering: .relaxed) }
        set { hungUp.store(newValue, ordering: .relaxed) }
    }

    init(descriptor: Int32, waker: Waker?) {
        self.descriptor = descriptor
        self.waker = waker
    }
}

/// The seats of a reactor. A key names a seat and its generation, so that an event for a former occupant misses.
struct RegistrationTable {
    private var seats: [(registration: Registration?, generation: UInt32)] = []
    private var free: [UInt32] = []

    mutating func insert(_ registration: Registration) -> UInt64 {
        if let index = free.popLast() {
            seats[Int(index)].registration = registration
            return UInt64(seats[Int(index)].generation) << 32 | UInt64(index)
        }
        seats.append((registration, 0))
        return UInt64(seats.count - 1)
    }

    mutating func remove(_ key: UInt64) {
        let index = Int(UInt32(truncatingIfNeeded: key))
        guard seats[index].generation == UInt32(key >> 32), seats[index].registration != nil else {
            preconditionFailure("a descriptor was taken out of a reactor twice")
        }
        seats[index].registration = nil
        seats[index].generation &+= 1
        free.append(UInt32(index))
    }

    subscript(key: UInt64) -> Registration? {
        let seat = seats[Int(UInt32(truncatingIfNeeded: key))]
        return seat.generation == UInt32(key >> 32) ? seat.registration : nil
    }
}
