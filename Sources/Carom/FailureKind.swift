// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Against whom a failed connect or recycle counts.
@nonexhaustive
public enum FailureKind: Sendable, Hashable {
    /// Against the backend's health.
    case backend
    /// Likewise, and counted separately: the backend answered and did not let us in. As waiting does not heal that, a
    /// backend without a connection that works is dead at once, and claims learn the reason.
    case authentication
    /// Against nobody; the next attempt to connect still waits its turn.
    case other
}
