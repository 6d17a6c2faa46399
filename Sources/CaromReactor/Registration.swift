// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import Synchronization

/// One descriptor's place in one reactor: what epoll has said about it, and whom to call.
///
/// The place lies in memory of the reactor's own, which it never gives back: so a late event finds it, empty or with a new
/// occupant, without anybody counting references. It belongs to the reactor's thread. When a socket moves to another
/// reactor it gets a place there, and the old one is only ever touched by the old thread: what is reported there late is
/// lost, which is harmless because registering with the new epoll reports the present state again.
///
/// What epoll has said is atomic, because a pool looks at an idle connection from the thread that wants it.
package struct Registration: @unchecked Sendable {
    // Unchecked: the entry is touched on the reactor's thread only, but for its atomics.
    /// What is kept about a registered descriptor.
    package struct Entry: ~Copyable {
        var handler: (any EventHandler)?
        var token = 0
        /// Counts the occupants, so that an event for a former one misses.
        var generation: UInt32 = 0
        let index: UInt32
        /// Epoll is asked for writability, too.
        package var watchesWrites = false
        package let readable = Atomic<Bool>(false)
        package let writable = Atomic<Bool>(false)
        package let hungUp = Atomic<Bool>(false)
    }

    package let entry: UnsafeMutablePointer<Entry>
    /// Place and generation, as epoll is told: unique among the reactor's registrations.
    let id: UInt64

    /// Data, an end of stream or an error is waiting to be read, as far as is known.
    @inlinable package var isReadable: Bool {
        get { entry.pointee.readable.load(ordering: .relaxed) }
        nonmutating set { entry.pointee.readable.store(newValue, ordering: .relaxed) }
    }

    /// Writing is worth a try.
    @inlinable package var isWritable: Bool {
        get { entry.pointee.writable.load(ordering: .relaxed) }
        nonmutating set { entry.pointee.writable.store(newValue, ordering: .relaxed) }
    }

    /// The peer has ended its side, or the socket failed. Never goes back to `false`.
    @inlinable package var isHungUp: Bool {
        get { entry.pointee.hungUp.load(ordering: .relaxed) }
        nonmutating set { entry.pointee.hungUp.store(newValue, ordering: .relaxed) }
    }

    /// Epoll is asked for writability, too.
    @inlinable package var watchesWrites: Bool { entry.pointee.watchesWrites }

    /// Something is called when there is news.
    package var hasHandler: Bool { entry.pointee.handler != nil }

    /// Calls `handler` from now on; nothing for nil. On the reactor's thread.
    package func setHandler(_ handler: (any EventHandler)?, token: Int) {
        entry.pointee.token = token
        entry.pointee.handler = handler
    }

    /// What is called at present.
    package var handler: (any EventHandler)? { entry.pointee.handler }

    /// With which token.
    package var token: Int { entry.pointee.token }

    /// What a closed socket has instead of a place: no event ever comes, and every call is worth the try that shows it.
    package static let closed: Registration = {
        let entry = UnsafeMutablePointer<Entry>.allocate(capacity: 1)
        entry.initialize(to: Entry(index: .max))
        let registration = Registration(entry: entry, id: .max)
        registration.isReadable = true
        registration.isWritable = true
        registration.isHungUp = true
        return registration
    }()
}

/// The places of a reactor, in blocks that stay where they are.
struct RegistrationTable {
    private var blocks: [UnsafeMutablePointer<Registration.Entry>] = []
    private var free: [UInt32] = []

    /// Places to a block: a power of two, so that a place is found by shifting; 64 of them fill less than a page.
    private static let blockBits: UInt32 = 6

    mutating func insert() -> Registration {
        if free.isEmpty { grow() }
        let entry = entry(at: free.removeLast())
        return Registration(
            entry: entry, id: UInt64(entry.pointee.generation) << 32 | UInt64(entry.pointee.index))
    }

    /// Empties the place. Returns the handler, whose end may bring others' with it: let it go when the table is free again.
    mutating func remove(_ registration: Registration) -> (any EventHandler)? {
        guard let entry = self[registration.id] else {
            preconditionFailure("a descriptor was taken out of a reactor twice")
        }
        entry.pointee.generation &+= 1
        free.append(entry.pointee.index)
        return entry.pointee.handler.take()
    }

    /// The entry that an event is for; nil when it has another occupant by now, or none.
    @inline(__always)
    subscript(id: UInt64) -> UnsafeMutablePointer<Registration.Entry>? {
        let entry = entry(at: UInt32(truncatingIfNeeded: id))
        return entry.pointee.generation == UInt32(truncatingIfNeeded: id >> 32) ? entry : nil
    }

    @inline(__always)
    private func entry(at index: UInt32) -> UnsafeMutablePointer<Registration.Entry> {
        blocks[Int(index >> Self.blockBits)] + Int(index & (1 << Self.blockBits - 1))
    }

    private mutating func grow() {
        let size = 1 << Int(Self.blockBits)
        let block = UnsafeMutablePointer<Registration.Entry>.allocate(capacity: size)
        let first = UInt32(blocks.count * size)
        for offset in 0..<size {
            (block + offset).initialize(to: Registration.Entry(index: first + UInt32(offset)))
        }
        blocks.append(block)
        free.append(contentsOf: (first..<(first + UInt32(size))).reversed())
    }

    /// Gives all memory back, at the reactor's end.
    mutating func deallocate() {
        for block in blocks {
            block.deinitialize(count: 1 << Int(Self.blockBits))
            block.deallocate()
        }
        blocks = []
    }
}
