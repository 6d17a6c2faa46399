// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Two connected non-blocking Unix sockets, which are the caller's to close.
package func socketPair() -> (Int32, Int32) {
    var pair: [Int32] = [0, 0]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    precondition(socketpair(AF_UNIX, type, 0, &pair) == 0, "no socket pair")
    return (pair[0], pair[1])
}
