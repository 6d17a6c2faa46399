// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Times that no policy sets, in nanoseconds, each with its reason.
extension PoolCore {
    /// With controlled delay a claim may wait so many targets: the queue sheds long before, this is for one that
    /// nothing comes back to.
    static var patienceInTargets: Int64 { 10 }
    /// A connection opened during a series of failures is checked so soon: servers that accept and hang up do it at once.
    static var probation: Int64 { 100_000_000 }
    /// A backend that refused the login is not asked again sooner: somebody has to change something first.
    static var refusedBackoff: Int64 { 1_000_000_000 }
    /// What a backend's last connection was like is believed for so long: then a waiter that finds nothing else has it asked
    /// again, for it may have been promoted.
    static var memory: Int64 { 1_000_000_000 }
    /// A backend that is overruled is asked again so often what it is.
    static var overruledMemory: Int64 { 10_000_000_000 }
    /// While a waiter's kind of connection is not known anywhere, idle ones that are something else are looked at so often.
    static var searchInterval: Int64 { 500_000_000 }
    /// A full pool makes room for a probe so often.
    static var probeRoomInterval: Int64 { 3_000_000_000 }
    /// What such a probe's connect may have taken to count as usual, so it is slow after three times that.
    static var probePatience: Int64 { 300_000_000 }
    /// A claim may wait so long for somebody to run the pool before that is told.
    static var patienceBeforeRun: Int64 { 1_000_000_000 }
    /// Between checks of a suspected backend's idle connections: four a second are a burden on no server.
    static var suspicionSpacing: Int64 { 250_000_000 }
    /// What closes have left once a stop's grace is over: a stop ends at most this late.
    static var lastCloseTime: Int64 { 250_000_000 }
}
