// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A connection on loan.
///
/// It ends exactly once: by ``recycle()``, by ``discard(_:blame:)``, or, if it is forgotten, by being discarded when
/// it goes out of scope, which an event reports.
public struct Claim<Connection: Sendable>: ~Copyable, Sendable {
    let engine: PoolEngine
    let box: ConnectionBox<Connection>
    private var open = true

    init(engine: PoolEngine, box: ConnectionBox<Connection>) {
        self.engine = engine
        self.box = box
    }

    /// The connection. Not to be used after the claim ended.
    public var connection: Connection { box.connection }

    /// Names the connection; as ``ClaimRequest/preferredSlot`` it asks for the same one again.
    public var slot: SlotID { box.slot }

    /// The backend it leads to, as it was described when the connection was opened.
    public var backend: Backend { box.backend }

    /// Gives the connection back. What becomes of it is the connector's to say (``Connector/returned(_:)``).
    /// Never waits.
    public consuming func recycle() {
        open = false
        engine.giveBack(box)
    }

    /// Gives the connection back to be closed.
    ///
    /// - Parameters:
    ///   - reason: for the holder's own eyes; events say `discarded`.
    ///   - blame: whether the backend is at fault: its score rises and the replacement waits a back-off step.
    public consuming func discard(_ reason: String? = nil, blame: Bool = true) {
        open = false
        engine.giveBack(box, .discard(.discarded, blame: blame, suspect: false))
    }

    /// Gives back a connection that was not touched: it is not recycled.
    consuming func untouched() {
        open = false
        engine.giveBack(box, .untouched)
    }

    deinit {
        if open { engine.giveBack(box, .discard(.forgotten, blame: false, suspect: false)) }
    }
}
