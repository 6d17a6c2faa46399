// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A deadline at which a handler is called, a waker for example. Arming and disarming are O(log n); moving a deadline into the future,
/// which is what traffic does to an idle timeout, costs a store.
public final class ReactorTimer {
    // Used on one thread, and the queue calls nothing while it changes one: no access can overlap another.
    let handler: any EventHandler
    let token: Int
    /// When the handler is to be called; ``Deadline/never`` when disarmed.
    @exclusivity(unchecked) public fileprivate(set) var deadline = Deadline.never
    /// Where the queue has it, which may be earlier than `deadline`: then it is moved when it comes up.
    @exclusivity(unchecked) fileprivate var queued = Deadline.never
    @exclusivity(unchecked) fileprivate var index = -1

    init(_ handler: any EventHandler, token: Int = 0) {
        self.handler = handler
        self.token = token
    }

    /// Whether the timer is armed and its deadline has been reached at `now`.
    public func isDue(at now: Deadline) -> Bool { deadline != .never && deadline <= now }
}

/// The armed timers of one reactor, earliest first: a binary heap whose entries know their place.
struct TimerQueue {
    private var heap: [ReactorTimer] = []

    var isEmpty: Bool { heap.isEmpty }

    /// The earliest time at which something may be due.
    var earliest: Deadline? { heap.first?.queued }

    mutating func arm(_ timer: ReactorTimer, at deadline: Deadline) {
        timer.deadline = deadline
        if timer.index < 0 {
            timer.queued = deadline
            timer.index = heap.count
            heap.append(timer)
            siftUp(timer.index)
        } else if deadline < timer.queued {
            timer.queued = deadline
            siftUp(timer.index)
        }
    }

    mutating func disarm(_ timer: ReactorTimer) {
        timer.deadline = .never
        guard timer.index >= 0 else { return }
        remove(at: timer.index)
    }

    /// Takes the next timer that is due at `now`; timers whose deadline moved on are put back in their place.
    mutating func popDue(at now: Deadline) -> ReactorTimer? {
        while let first = heap.first, first.queued <= now {
            if first.deadline <= now {
                remove(at: 0)
                return first
            }
            first.queued = first.deadline
            siftDown(0)
        }
        return nil
    }

    private mutating func remove(at index: Int) {
        let timer = heap[index]
        let last = heap.removeLast()
        timer.index = -1
        timer.queued = .never
        guard index < heap.count else { return }
        heap[index] = last
        last.index = index
        siftDown(index)
        siftUp(last.index)
    }

    private mutating func siftUp(_ start: Int) {
        var child = start
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].queued < heap[parent].queued else { return }
            exchange(child, parent)
            child = parent
        }
    }

    private mutating func siftDown(_ start: Int) {
        var parent = start
        while true {
            var smallest = parent
            let left = 2 * parent + 1
            if left < heap.count, heap[left].queued < heap[smallest].queued { smallest = left }
            if left + 1 < heap.count, heap[left + 1].queued < heap[smallest].queued { smallest = left + 1 }
            guard smallest != parent else { return }
            exchange(parent, smallest)
            parent = smallest
        }
    }

    private mutating func exchange(_ a: Int, _ b: Int) {
        heap.swapAt(a, b)
        heap[a].index = a
        heap[b].index = b
    }
}
