// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// Reactors that work side by side, one thread each.
public final class ReactorGroup: Sendable {
    /// In the order of their ``Reactor/index``.
    public let reactors: [Reactor]
    private let turn = Atomic<Int>(0)

    /// Makes and starts `count` reactors, at least one.
    ///
    /// - Throws: ``SystemError`` when descriptors or threads have run out.
    public init(count: Int, name: String = "worker") throws(SystemError) {
        precondition(count >= 1, "a reactor group needs a thread")
        var reactors: [Reactor] = []
        for index in 0..<count { reactors.append(try Reactor(index: index, name: name)) }
        for reactor in reactors { try reactor.start() }
        self.reactors = reactors
    }

    /// A group of reactors that were made and started elsewhere, at least one.
    public init(_ reactors: [Reactor]) {
        precondition(!reactors.isEmpty, "a reactor group needs a reactor")
        self.reactors = reactors
    }

    /// The reactor whose ``Reactor/index`` is `affinity`; if that is nil, or there is none, each in its turn.
    public func next(affinity: Int? = nil) -> Reactor {
        if let affinity {
            // A group's own reactors stand in the order of their indices.
            if reactors.indices.contains(affinity), reactors[affinity].index == affinity {
                return reactors[affinity]
            }
            if let reactor = reactors.first(where: { $0.index == affinity }) { return reactor }
        }
        return reactors[turn.wrappingAdd(1, ordering: .relaxed).oldValue & .max % reactors.count]
    }

    /// Ends all loops; see ``Reactor/stop()``.
    public func stop() {
        for reactor in reactors { reactor.stop() }
    }
}
