// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

extension SocketAddress {
    /// The addresses of a name, or the one that a literal says, through the system's resolver.
    ///
    /// It blocks the thread: for start-up, not for a running loop.
    ///
    /// - Throws: ``SystemError`` with `ENOENT` when the name has no address.
    public static func lookUp(_ host: String, port: UInt16) throws(SystemError) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0 else {
            throw SystemError(
                code: ENOENT, operation: "address of \(host) (\(String(cString: gai_strerror(code))))")
        }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var entry = list
        while let info = entry {
            var storage = sockaddr_storage()
            withUnsafeMutableBytes(of: &storage) {
                $0.copyMemory(
                    from: UnsafeRawBufferPointer(
                        start: info.pointee.ai_addr, count: Int(info.pointee.ai_addrlen)))
            }
            let address = SocketAddress(storage)
            if !addresses.contains(address) { addresses.append(address) }
            entry = info.pointee.ai_next
        }
        return addresses
    }
}
