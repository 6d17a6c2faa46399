// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// Options of a TCP connection, as `tcp(7)` describes them.
public struct TCPOptions: Sendable, Equatable {
    /// Send small segments at once (`TCP_NODELAY`).
    public var noDelay = true
    /// Seconds of silence before the kernel probes the peer (`TCP_KEEPIDLE`); 0 switches probing off.
    public var keepAliveIdle = 15
    /// Seconds between two probes (`TCP_KEEPINTVL`).
    public var keepAliveInterval = 5
    /// Unanswered probes after which the connection is given up (`TCP_KEEPCNT`).
    public var keepAliveProbes = 3

    /// Milliseconds that sent bytes may stay unacknowledged before the connection is given up (`TCP_USER_TIMEOUT`); 0 leaves
    /// it to the kernel's retransmissions, about a quarter of an hour.
    ///
    /// Probes are sent on a silent connection only. Nil, the default, gives up as soon as probing would
    /// (`keepAliveIdle` + `keepAliveInterval` × `keepAliveProbes`), so that a network that dies under a query ends it within
    /// the same time; without probing it is 0.
    public var userTimeout: Int?

    /// No delay, probes after 15 s and then every 5 s, given up after 3 of them.
    public init() {}

    /// What `userTimeout` comes to, in milliseconds.
    private var effectiveUserTimeout: Int {
        if let userTimeout { return userTimeout }
        guard keepAliveIdle > 0 else { return 0 }
        // Each clamped to what the kernel takes, so that nothing overflows.
        let parts = [keepAliveIdle, keepAliveInterval, keepAliveProbes].map { Int(UInt16(clamping: $0)) }
        return (parts[0] + parts[1] * parts[2]) * 1000
    }

    package func apply(to descriptor: Int32) {
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, noDelay ? 1 : 0)
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, keepAliveIdle > 0 ? 1 : 0)
        set(descriptor, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, Int32(clamping: effectiveUserTimeout))
        guard keepAliveIdle > 0 else { return }
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, Int32(clamping: keepAliveIdle))
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, Int32(clamping: keepAliveInterval))
        set(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, Int32(clamping: keepAliveProbes))
    }

    private func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
        var value = value
        setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
}
