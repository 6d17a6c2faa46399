// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// SASLprep (RFC 4013) as PostgreSQL does it, down to its way out: a password that it does not accept is used as the bytes it
/// is.
///
/// Prohibited characters and directions are looked for before the normalization, as there, and not behind it, as RFC 3454 has
/// it: both sides must come to the same bytes. ASCII passwords are never changed by any of it.
package enum SASLPrep {
    /// The bytes to hash for a password.
    package static func prepare(_ password: [UInt8]) -> [UInt8] {
        if password.allSatisfy({ $0 < 0x80 }) { return password }
        guard let text = String(validating: password, as: UTF8.self) else { return password }
        var scalars: [UInt32] = []
        for scalar in text.unicodeScalars {
            if isNonASCIISpace(scalar) {
                scalars.append(0x20)
            } else if !isMappedToNothing(scalar) {
                scalars.append(scalar.value)
            }
        }
        guard !scalars.isEmpty,
            !scalars.contains(where: { SASLTables.isProhibited($0) || SASLTables.isUnassigned($0) }),
            hasOneDirection(scalars)
        else { return password }
        var result = String.UnicodeScalarView()
        result.append(
            contentsOf: CompatibilityNormalization.normalize(scalars).compactMap(Unicode.Scalar.init))
        return Array(String(result).utf8)
    }

    /// RFC 3454, table C.1.2.
    private static func isNonASCIISpace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xa0, 0x1680, 0x2000...0x200b, 0x202f, 0x205f, 0x3000: true
        default: false
        }
    }

    /// RFC 3454, table B.1.
    private static func isMappedToNothing(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0xad, 0x34f, 0x1806, 0x180b...0x180d, 0x200c...0x200d, 0x2060, 0xfe00...0xfe0f, 0xfeff: true
        default: false
        }
    }

    /// RFC 3454, section 6: with any right-to-left character, no left-to-right one, and both ends right-to-left.
    private static func hasOneDirection(_ scalars: [UInt32]) -> Bool {
        guard scalars.contains(where: { SASLTables.isRightToLeft($0) }) else { return true }
        guard SASLTables.isRightToLeft(scalars[0]), SASLTables.isRightToLeft(scalars[scalars.count - 1])
        else { return false }
        return !scalars.contains { SASLTables.isLeftToRight($0) }
    }
}
