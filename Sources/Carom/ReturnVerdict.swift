// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What shall become of a connection that was given back.
public enum ReturnVerdict: Sendable, Equatable {
    /// Straight back to the idle ones or the next waiter, without a suspension.
    case clean
    /// Not to be lent again before ``Connector/onRecycle(_:)`` succeeded.
    case recycle
    /// Closed. The backend is not blamed.
    case discard(reason: String)
    /// Closed, the backend is blamed, and its other idle connections are checked at once (four a second): for
    /// errors that say more than one connection is gone, such as SQLSTATE class 08, 57P01 to 57P03 or 25006.
    case discardSuspectingBackend(reason: String)
}
