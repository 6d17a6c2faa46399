// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import Carom
import Synchronization

/// A connection that leads nowhere and remembers what was done to it.
public final class FakeConnection: Sendable {
    /// Counts from 1 in the order of opening.
    public let number: Int
    /// The backend it was opened to.
    public let backend: Backend
    private let state: Mutex<State>
    private let attributesChanged: @Sendable () -> Void

    private struct State {
        var closes = 0
        var checks = 0
        var recycles = 0
        var usable = true
        var verdict: ReturnVerdict?
        var affinity: Int?
        var attributes: [String: String]?
        var attributesVersion = 0
    }

    init(number: Int, backend: Backend, context: ConnectContext) {
        self.number = number
        self.backend = backend
        attributesChanged = context.attributesChanged
        state = Mutex(State(affinity: context.affinity))
    }

    /// How often it was closed: 1 at the end of every life.
    public var closes: Int { state.withLock { $0.closes } }
    /// How often it was checked.
    public var checks: Int { state.withLock { $0.checks } }
    /// How often it was recycled.
    public var recycles: Int { state.withLock { $0.recycles } }

    /// Whether the peer is still there when somebody looks. Set it to false to play a peer that hung up.
    public var isUsable: Bool {
        get { state.withLock { $0.usable } }
        set { state.withLock { $0.usable = newValue } }
    }

    /// What the connector says when it is given back; nil leaves it to ``FakeConnector/Script/verdict``.
    public var verdict: ReturnVerdict? {
        get { state.withLock { $0.verdict } }
        set { state.withLock { $0.verdict = newValue } }
    }

    /// The worker it claims to sit on.
    public var affinity: Int? {
        get { state.withLock { $0.affinity } }
        set { state.withLock { $0.affinity = newValue } }
    }

    /// What is known of it; nil leaves it to ``FakeConnector/Script/attributes``. The pool sees a change when it next looks.
    public var attributes: [String: String]? {
        get { state.withLock { $0.attributes } }
        set {
            state.withLock { state in
                state.attributes = newValue
                state.attributesVersion += 1
            }
        }
    }

    var attributesVersion: Int { state.withLock { $0.attributesVersion } }

    /// Tells the pool that ``attributes`` have changed, as a connector does that is told by the peer.
    public func reportAttributes() { attributesChanged() }

    func noteClose() { state.withLock { $0.closes += 1 } }
    func noteCheck() { state.withLock { $0.checks += 1 } }
    func noteRecycle() { state.withLock { $0.recycles += 1 } }
}

/// The error a fake throws when its script says so.
public struct FakeError: Error, Hashable, CustomStringConvertible {
    /// What it says.
    public let description: String

    /// An error with these words.
    public init(_ description: String) {
        self.description = description
    }
}
