// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromAres
import Glibc

/// An IPv4 or IPv6 address in network byte order.
enum IPAddress: Hashable, Sendable, CustomStringConvertible {
    case v4(UInt32)
    case v6(UInt64, UInt64)

    /// The record type that carries addresses of one kind.
    enum Family: Hashable, Sendable {
        case v4, v6
    }

    var family: Family {
        switch self {
        case .v4: .v4
        case .v6: .v6
        }
    }

    /// Reads a numeric address; nil for anything else.
    init?(_ text: String) {
        var v4 = in_addr()
        var v6 = in6_addr()
        if inet_pton(AF_INET, text, &v4) == 1 {
            self = .v4(UInt32(bigEndian: v4.s_addr))
        } else if inet_pton(AF_INET6, text, &v6) == 1 {
            self = withUnsafeBytes(of: v6) { bytes in
                .v6(
                    UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
            }
        } else {
            return nil
        }
    }

    var description: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(INET6_ADDRSTRLEN)) { buffer in
            let length = socklen_t(buffer.count)
            let done: UnsafePointer<CChar>?
            switch self {
            case .v4(let number):
                var raw = number.bigEndian
                done = inet_ntop(AF_INET, &raw, buffer.baseAddress!, length)
            case .v6(let high, let low):
                var raw = (high.bigEndian, low.bigEndian)
                done = inet_ntop(AF_INET6, &raw, buffer.baseAddress!, length)
            }
            return done.map { String(cString: $0) } ?? ""
        }
    }
}
