// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import Glibc

/// Counts this process's sockets by what they are connected to, so that other tests running beside do not matter.
enum OpenSockets {
    /// Descriptors connected to 127.0.0.1:`port` or to the Unix socket `path`.
    static func connected(to port: UInt16, _ path: String = "") -> Int {
        descriptors().count { descriptor in
            guard let peer = peer(of: descriptor) else { return false }
            return peer == .port(port) || (!path.isEmpty && peer == .path(path))
        }
    }

    /// Whether all of those are closed soon: a pool that stops does not wait for connects that it has cancelled.
    static func vanish(_ port: UInt16, _ path: String = "") async -> Bool {
        let limit = ContinuousClock.now + .seconds(5)
        try? await until { connected(to: port, path) == 0 || ContinuousClock.now > limit }
        return connected(to: port, path) == 0
    }

    /// TCP sockets that are not connected to anything and do not listen: what a failed connect could leave behind.
    static func unconnected() -> Int {
        descriptors().count { descriptor in
            option(descriptor, SO_TYPE) == Int32(SOCK_STREAM.rawValue)
                && option(descriptor, SO_ACCEPTCONN) == 0
                && peer(of: descriptor) == nil && errno == ENOTCONN
        }
    }

    private enum Peer: Equatable {
        case port(UInt16)
        case path(String)
        case other
    }

    private static func descriptors() -> [Int32] {
        guard let folder = opendir("/proc/self/fd") else {
            preconditionFailure("/proc/self/fd cannot be read")
        }
        defer { closedir(folder) }
        var found: [Int32] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let number = Int32(name), number != dirfd(folder) { found.append(number) }
        }
        return found
    }

    private static func peer(of descriptor: Int32) -> Peer? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let code = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(descriptor, $0, &length) }
        }
        guard code == 0 else { return nil }
        return withUnsafeBytes(of: storage) { raw in
            switch Int32(storage.ss_family) {
            case AF_INET: return .port(UInt16(bigEndian: raw.loadUnaligned(as: sockaddr_in.self).sin_port))
            case AF_UNIX: return .path(String(decoding: raw.dropFirst(2).prefix { $0 != 0 }, as: UTF8.self))
            default: return .other
            }
        }
    }

    private static func option(_ descriptor: Int32, _ name: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 ? value : nil
    }
}
