// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A protocol version as the start-up packet carries it.
package struct ProtocolVersion: Hashable, Comparable, Sendable {
    package var major: UInt16
    package var minor: UInt16

    package init(_ major: UInt16, _ minor: UInt16) {
        self.major = major
        self.minor = minor
    }

    /// Splits the code word of a start-up packet.
    package init(code: UInt32) {
        self.init(UInt16(truncatingIfNeeded: code >> 16), UInt16(truncatingIfNeeded: code))
    }

    /// The word that goes over the wire.
    package var code: UInt32 { UInt32(major) << 16 | UInt32(minor) }

    package static func < (left: ProtocolVersion, right: ProtocolVersion) -> Bool {
        left.code < right.code
    }

    /// What every PostgreSQL since 7.4 speaks.
    package static let v3_0 = ProtocolVersion(3, 0)
    /// PostgreSQL 18: cancel keys of 4 to 256 bytes.
    package static let v3_2 = ProtocolVersion(3, 2)
}

extension ProtocolVersion: CustomStringConvertible {
    package var description: String { "\(major).\(minor)" }
}
