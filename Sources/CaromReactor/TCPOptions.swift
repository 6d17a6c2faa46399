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

    /// The defaults that Odyssey has today: no delay, 15 s, 5 s, 3.
    public init() {}

    func apply(to descriptor: Int32) {
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, noDelay ? 1 : 0)
        set(descriptor, SOL_SOCKET, SO_KEEPALIVE, keepAliveIdle > 0 ? 1 : 0)
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
