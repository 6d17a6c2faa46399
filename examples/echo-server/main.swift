// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc

// `carom-echo-server [ADDRESS]`: sends back what it is sent. ADDRESS is `127.0.0.1:7`, `[::1]:0` or the path of a
// Unix socket; the default is `[::1]:0`, where 0 lets the kernel choose a port. It prints where it listens.

signal(SIGPIPE, SIG_IGN)
let text = CommandLine.arguments.dropFirst().first ?? "[::1]:0"
guard CommandLine.arguments.count <= 2, let address = SocketAddress(parsing: text) else {
    fail("usage: carom-echo-server [ADDRESS], where ADDRESS is 127.0.0.1:7, [::1]:0 or /path/of/a/socket")
}
do {
    try DescriptorLimit.raise()
    try await EchoServer(address: address).run()
} catch {
    fail("carom-echo-server: \(error)")
}

func fail(_ message: String) -> Never {
    let line = Array("\(message)\n".utf8)
    _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    exit(1)
}
