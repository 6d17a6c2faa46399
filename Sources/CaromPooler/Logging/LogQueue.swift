// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// What many threads have for one that takes it: lines up to a number of bytes, and orders. Putting something in waits for
/// nobody: it is one exchange of an atomic word.
final class LogQueue<Element: Sendable>: Sendable {
    /// A stack that is taken as a whole, so that no node is ever taken and put back: there is no ABA.
    private let newest = Atomic<Unmanaged<Node>?>(nil)
    private let held = Atomic<Int>(0)
    private let dropped = Atomic<Int>(0)
    private let limit: Int

    private final class Node: @unchecked Sendable {
        // Unchecked: one thread makes it, and hands it over with the exchange.
        let element: Element
        var older: Unmanaged<Node>?

        init(_ element: Element) { self.element = element }
    }

    /// What became of an element.
    enum Outcome: Equatable {
        /// It did not fit, and was counted.
        case dropped
        /// It waits; whoever takes must be woken or not.
        case queued(mustWake: Bool)
    }

    /// - Parameter limit: bytes that may wait.
    init(limit: Int) { self.limit = limit }

    deinit { _ = takeAll() }

    /// Puts in what takes so many bytes, unless that is more than fit.
    func offer(_ element: Element, bytes: Int) -> Outcome {
        if held.add(bytes, ordering: .relaxed).newValue > limit {
            held.subtract(bytes, ordering: .relaxed)
            dropped.add(1, ordering: .relaxed)
            return .dropped
        }
        return .queued(mustWake: put(element))
    }

    /// Puts in what always fits.
    ///
    /// - Returns: whether whoever takes must be woken.
    func put(_ element: Element) -> Bool {
        let node = Node(element)
        let reference = Unmanaged.passRetained(node)
        node.older = newest.load(ordering: .relaxed)
        while true {
            let (isDone, found) = newest.weakCompareExchange(
                expected: node.older, desired: reference, successOrdering: .acquiringAndReleasing,
                failureOrdering: .relaxed)
            if isDone { return found == nil }
            node.older = found
        }
    }

    /// All that was put in since the last time, oldest first. Its bytes count until ``release(bytes:)``.
    func takeAll() -> [Element] {
        var elements: [Element] = []
        var next = newest.exchange(nil, ordering: .acquiringAndReleasing)
        while let node = next?.takeRetainedValue() {
            elements.append(node.element)
            next = node.older
        }
        elements.reverse()
        return elements
    }

    /// So many bytes do not wait any more.
    func release(bytes: Int) { held.subtract(bytes, ordering: .relaxed) }

    /// How many were dropped since the start.
    var droppedCount: Int { dropped.load(ordering: .relaxed) }
}
