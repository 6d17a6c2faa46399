// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Addresses that have the bits of a mask in common.
package struct IPNetwork: Hashable, Sendable {
    /// An address without a port, 4 or 16 bytes in the network's order.
    package struct Address: Hashable, Sendable, CustomStringConvertible {
        package let bytes: [UInt8]

        /// As `inet_ntop` writes it.
        package var description: String {
            let family = bytes.count == 4 ? AF_INET : AF_INET6
            return withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
                guard
                    let text = inet_ntop(family, bytes, buffer.baseAddress!, socklen_t(buffer.count))
                else { return "unknown" }
                return String(cString: text)
            }
        }

        /// Reads a literal in any form that the system knows (`getaddrinfo` with `AI_NUMERICHOST`, as PostgreSQL does). Nil for others.
        package init?(_ text: String) {
            var hints = addrinfo()
            hints.ai_flags = AI_NUMERICHOST
            hints.ai_family = AF_UNSPEC
            var list: UnsafeMutablePointer<addrinfo>?
            guard !text.isEmpty, getaddrinfo(text, nil, &hints, &list) == 0, let first = list?.pointee else {
                return nil
            }
            defer { freeaddrinfo(list) }
            self.init(UnsafeRawPointer(first.ai_addr))
        }

        /// Reads what the kernel says. Nil for other families.
        init?(_ address: UnsafeRawPointer) {
            switch Int32(address.loadUnaligned(as: sockaddr.self).sa_family) {
            case AF_INET:
                bytes = withUnsafeBytes(of: address.loadUnaligned(as: sockaddr_in.self).sin_addr) {
                    Array($0)
                }
            case AF_INET6:
                bytes = withUnsafeBytes(of: address.loadUnaligned(as: sockaddr_in6.self).sin6_addr) {
                    Array($0)
                }
            default: return nil
            }
        }

        package init(bytes: [UInt8]) { self.bytes = bytes }

        /// The name of the address, if that has the address in turn; nil for others. It asks the system's resolver, which may take a while.
        package var confirmedHostName: String? {
            guard let name = hostName else { return nil }
            var hints = addrinfo()
            hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            var list: UnsafeMutablePointer<addrinfo>?
            guard getaddrinfo(name, nil, &hints, &list) == 0 else { return nil }
            defer { freeaddrinfo(list) }
            var entry = list
            while let found = entry?.pointee {
                entry = found.ai_next
                if let address = found.ai_addr.flatMap({ Self(UnsafeRawPointer($0)) }), address == self {
                    return name
                }
            }
            return nil
        }

        private var hostName: String? {
            var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let result = withSockaddr { pointer, length in
                getnameinfo(pointer, length, &name, socklen_t(name.count), nil, 0, NI_NAMEREQD)
            }
            guard result == 0 else { return nil }
            return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        private func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
            var storage = sockaddr_storage()
            let isIPv4 = bytes.count == 4
            storage.ss_family = sa_family_t(isIPv4 ? AF_INET : AF_INET6)
            let offset =
                isIPv4
                ? MemoryLayout<sockaddr_in>.offset(of: \.sin_addr)
                : MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr)
            let length = isIPv4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
            return withUnsafeMutableBytes(of: &storage) { raw in
                UnsafeMutableRawBufferPointer(rebasing: raw[offset!...]).copyBytes(from: bytes)
                return raw.withMemoryRebound(to: sockaddr.self) { body($0.baseAddress!, socklen_t(length)) }
            }
        }
    }

    private let address: Address
    private let mask: [UInt8]

    /// - Parameter bits: of the mask. Nil if the address has fewer.
    init?(_ address: Address, bits: Int) {
        guard bits >= 0, bits <= address.bytes.count * 8 else { return nil }
        self.address = address
        mask = address.bytes.indices.map { index in
            UInt8(truncatingIfNeeded: 0xff00 >> max(0, min(8, bits - index * 8)))
        }
    }

    /// Nil if the two are of different families.
    init?(_ address: Address, mask: Address) {
        guard address.bytes.count == mask.bytes.count else { return nil }
        self.address = address
        self.mask = mask.bytes
    }

    /// Reads `address` or `address/bits`. Nil for anything else.
    init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = Address(String(parts[0])) else { return nil }
        guard parts.count > 1 else {
            self.init(address, bits: address.bytes.count * 8)
            return
        }
        guard let bits = Int(parts[1]) else { return nil }
        self.init(address, bits: bits)
    }

    package func contains(_ other: Address) -> Bool {
        guard other.bytes.count == address.bytes.count else { return false }
        for index in mask.indices where (other.bytes[index] ^ address.bytes[index]) & mask[index] != 0 {
            return false
        }
        return true
    }

    /// The networks that this machine's interfaces are in; none if the system does not tell.
    ///
    /// - Parameter isWhole: the whole networks, not the machine's own addresses.
    static func ofInterfaces(isWhole: Bool) -> [IPNetwork] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var networks: [IPNetwork] = []
        var entry = list
        while let interface = entry?.pointee {
            entry = interface.ifa_next
            guard let raw = interface.ifa_addr, let address = Address(UnsafeRawPointer(raw)) else { continue }
            let mask = interface.ifa_netmask.flatMap { Address(UnsafeRawPointer($0)) }
            let network =
                isWhole
                ? mask.flatMap { IPNetwork(address, mask: $0) }
                : IPNetwork(address, bits: address.bytes.count * 8)
            if let network { networks.append(network) }
        }
        return networks
    }
}

/// A network as somebody has written it.
package struct ListedNetwork: Equatable, Sendable {
    let text: String
    package let network: IPNetwork
}
