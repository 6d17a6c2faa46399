// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Reactors that work side by side, one thread each.
public struct ReactorGroup: Sendable {
    /// In the order of their ``Reactor/index``.
    public let reactors: [Reactor]

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

    /// Ends all loops; see ``Reactor/stop()``.
    public func stop() {
        for reactor in reactors { reactor.stop() }
    }
}
