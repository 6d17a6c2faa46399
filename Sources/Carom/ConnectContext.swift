// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a connect is for.
public struct ConnectContext: Sendable {
    /// The worker of the oldest claim the connect is for, if a claim waits and named one.
    public let affinity: Int?
    /// The slot the connection will have.
    public let slot: SlotID
    /// 1 for the first attempt to reach the backend since it last worked, and so on.
    public let attempt: Int
    /// When the pool gives up, on the pool's clock.
    public let deadline: PoolInstant
    /// The time there is from the start.
    public let timeout: Duration
    /// To be called when the connection's ``ConnectionInspector/attributes(of:)`` have changed and the pool should know before it
    /// next looks: a standby reports that it was promoted. From any thread; cheap, but not free: it takes the pool's
    /// lock. Without effect before the connect has succeeded and after the close.
    public internal(set) var attributesChanged: @Sendable () -> Void

    /// The circumstances of one connect; made by the pool, and by tests of connectors.
    public init(
        affinity: Int?, slot: SlotID, attempt: Int, deadline: PoolInstant, timeout: Duration,
        attributesChanged: @escaping @Sendable () -> Void = {}
    ) {
        self.affinity = affinity
        self.slot = slot
        self.attempt = attempt
        self.deadline = deadline
        self.timeout = timeout
        self.attributesChanged = attributesChanged
    }
}
