// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromReactor
import Glibc

/// A connected socket that goes to another process while its transport stands still here.
package enum GivenSocket {
    /// Another descriptor of the transport's socket; nil of one that speaks TLS, whose keys only this process has, and of one that is
    /// closed. On the thread of the transport's reactor.
    package static func copy(of transport: Transport) -> PassedDescriptor? {
        guard transport.tls == nil, let descriptor = transport.openDescriptor else { return nil }
        return PassedDescriptor(copyOf: descriptor)
    }

    /// Lets go of the socket, which lives on in the other process: the peer notices nothing. On the thread of the transport's reactor.
    package static func letGo(of transport: Transport) {
        // Epoll forgets a socket by itself only when it is closed in every process.
        if let descriptor = transport.release(notify: false, staysOpen: true) { Glibc.close(descriptor) }
    }
}
