// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// At most one instant for each slot, earliest first. Setting and removing are O(log n), looking is O(1).
struct TimerHeap: Sendable {
    private struct Entry {
        var at: Int64
        var slot: Int32
    }
    private var heap: ContiguousArray<Entry> = []
    private var positions: ContiguousArray<Int32> = []

    var isEmpty: Bool { heap.isEmpty }
    var count: Int { heap.count }
    var first: (at: Int64, slot: Int)? { heap.first.map { ($0.at, Int($0.slot)) } }
    var earliest: Int64 { heap.isEmpty ? .never : heap[0].at }

    /// What is set for the slot; `never` if nothing.
    func at(_ slot: Int) -> Int64 {
        slot < positions.count && positions[slot] >= 0 ? heap[Int(positions[slot])].at : .never
    }

    /// Sets the slot's instant; `never` removes it.
    mutating func set(_ slot: Int, at: Int64) {
        while positions.count <= slot { positions.append(-1) }
        let position = Int(positions[slot])
        switch (position, at) {
        case (-1, .never): return
        case (-1, _):
            heap.append(Entry(at: at, slot: Int32(slot)))
            positions[slot] = Int32(heap.count - 1)
            rise(heap.count - 1)
        case (_, .never): remove(position)
        case (_, _):
            let earlier = at < heap[position].at
            heap[position].at = at
            if earlier { rise(position) } else { sink(position) }
        }
    }

    private mutating func remove(_ position: Int) {
        positions[Int(heap[position].slot)] = -1
        let last = heap.removeLast()
        guard position < heap.count else { return }
        let earlier = last.at < heap[position].at
        heap[position] = last
        positions[Int(last.slot)] = Int32(position)
        if earlier { rise(position) } else { sink(position) }
    }

    private mutating func rise(_ start: Int) {
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard heap[index].at < heap[parent].at else { return }
            exchange(index, parent)
            index = parent
        }
    }

    private mutating func sink(_ start: Int) {
        var index = start
        while true {
            var least = index
            for child in 2 * index + 1...2 * index + 2 where child < heap.count {
                if heap[child].at < heap[least].at { least = child }
            }
            guard least != index else { return }
            exchange(index, least)
            index = least
        }
    }

    private mutating func exchange(_ one: Int, _ other: Int) {
        heap.swapAt(one, other)
        positions[Int(heap[one].slot)] = Int32(one)
        positions[Int(heap[other].slot)] = Int32(other)
    }
}
