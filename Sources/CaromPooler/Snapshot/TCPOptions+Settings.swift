// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor

extension TCPOptions {
    /// The options of every TCP connection, to clients and to servers.
    init(_ settings: Settings) {
        self.init()
        noDelay = settings.noDelay
        keepAliveIdle = Int(settings.keepalive?.components.seconds ?? 0)
        keepAliveInterval = Int(settings.keepaliveInterval.components.seconds)
        keepAliveProbes = settings.keepaliveProbes
    }
}
