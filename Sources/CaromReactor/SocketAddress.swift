// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CCaromLinux
package import Glibc

/// An address a socket can connect to or listen on: IPv4, IPv6 or a path in the file system.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// What the address says.
    public enum Kind: Sendable, Hashable {
        /// A literal IPv4 or IPv6 address, written as `inet_ntop` writes it.
        case ip(String, port: UInt16)
        /// The path of a Unix domain socket; empty for the unnamed end of a connection.
        case unix(path: String)
    }

    /// As it was made. What the kernel filled in becomes text only when somebody reads it, which for most clients is never.
    private enum Form: Sendable {
        case said(Kind)
        case ipv4(UInt32, port: UInt16)
        case ipv6(UInt64, UInt64, port: UInt16)
    }

    private let form: Form

    /// What the address says.
    public var kind: Kind {
        switch form {
        case .said(let kind): kind
        case .ipv4(var address, let port): .ip(Self.text(AF_INET, &address), port: port)
        case .ipv6(let high, let low, let port):
            withUnsafeBytes(of: (high, low)) { .ip(Self.text(AF_INET6, $0.baseAddress!), port: port) }
        }
    }

    /// Wraps a literal address; whether it is valid shows when it is used.
    public init(_ kind: Kind) { form = .said(kind) }

    /// Addresses are equal when they say the same.
    public static func == (left: SocketAddress, right: SocketAddress) -> Bool { left.kind == right.kind }

    /// Hashes what the address says.
    public func hash(into hasher: inout Hasher) { hasher.combine(kind) }

    /// A path in the file system.
    package var isUnix: Bool {
        if case .said(.unix) = form { return true }
        return false
    }

    /// `127.0.0.1:5432`, `[::1]:5432` or `/run/postgresql/.s.PGSQL.5432`.
    public var description: String {
        switch kind {
        case .ip(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path.isEmpty ? "unix" : path
        }
    }

    /// The address without its port, or the path.
    public var host: String {
        switch kind {
        case .ip(let host, _): host
        case .unix(let path): path
        }
    }

    /// The port; 0 for a Unix socket.
    public var port: UInt16 {
        switch kind {
        case .ip(_, let port): port
        case .unix: 0
        }
    }

    /// Calls `body` with the address as the kernel wants it.
    ///
    /// - Throws: ``SystemError`` with `EINVAL` for what is no literal address, `ENAMETOOLONG` for a path over 107 bytes.
    package func withSockaddr<R>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> R
    ) throws(SystemError) -> R {
        var storage = sockaddr_storage()
        let length: Int
        switch kind {
        case .ip(let host, let port):
            var v4 = in_addr()
            var v6 = in6_addr()
            if inet_pton(AF_INET, host, &v4) == 1 {
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_port = port.bigEndian
                address.sin_addr = v4
                length = MemoryLayout<sockaddr_in>.size
                withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in.self) }
            } else if inet_pton(AF_INET6, host, &v6) == 1 {
                var address = sockaddr_in6()
                address.sin6_family = sa_family_t(AF_INET6)
                address.sin6_port = port.bigEndian
                address.sin6_addr = v6
                length = MemoryLayout<sockaddr_in6>.size
                withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: address, as: sockaddr_in6.self) }
            } else {
                throw SystemError(code: EINVAL, operation: "'\(host)' is neither an IPv4 nor an IPv6 address")
            }
        case .unix(let path):
            let bytes = Array(path.utf8)
            guard bytes.count < 108, !bytes.contains(0) else {
                throw SystemError(code: ENAMETOOLONG, operation: "socket path \(path)")
            }
            length = MemoryLayout<sa_family_t>.size + bytes.count + 1
            withUnsafeMutableBytes(of: &storage) { raw in
                raw.storeBytes(of: sa_family_t(AF_UNIX), as: sa_family_t.self)
                for (offset, byte) in bytes.enumerated() {
                    raw[MemoryLayout<sa_family_t>.size + offset] = byte
                }
            }
        }
        var result: Result<R, SystemError>?
        withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                do throws(SystemError) {
                    result = .success(try body(address, socklen_t(length)))
                } catch {
                    result = .failure(error)
                }
            }
        }
        return try result!.get()
    }

    /// Reads what the kernel filled in.
    package init(_ storage: sockaddr_storage) {
        form = withUnsafeBytes(of: storage) { raw in
            switch Int32(storage.ss_family) {
            case AF_INET:
                let address = raw.loadUnaligned(as: sockaddr_in.self)
                return .ipv4(address.sin_addr.s_addr, port: UInt16(bigEndian: address.sin_port))
            case AF_INET6:
                let address = raw.loadUnaligned(as: sockaddr_in6.self)
                let halves = withUnsafeBytes(of: address.sin6_addr) { bytes in
                    bytes.loadUnaligned(as: (UInt64, UInt64).self)
                }
                return .ipv6(halves.0, halves.1, port: UInt16(bigEndian: address.sin6_port))
            default:
                let path = raw.dropFirst(MemoryLayout<sa_family_t>.size).prefix { $0 != 0 }
                return .said(.unix(path: String(decoding: path, as: UTF8.self)))
            }
        }
    }

    /// The local end of a socket, as the kernel tells it.
    package init(localEndOf descriptor: Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = getsockname(descriptor, $0, &length)
            }
        }
        self.init(storage)
    }

    private static func text(_ family: Int32, _ address: UnsafeRawPointer) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            guard let text = inet_ntop(family, address, buffer.baseAddress!, socklen_t(buffer.count)) else {
                return "unknown"
            }
            return String(cString: text)
        }
    }

    /// The family for `socket(2)`; IPv4 for text that is no address, whose use then fails with its own error.
    package var family: Int32 {
        switch kind {
        case .ip(let host, _): host.contains(":") ? AF_INET6 : AF_INET
        case .unix: AF_UNIX
        }
    }
}
