// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// SASLprep (RFC 4013) as far as the standard library goes, with PostgreSQL's way out: a password that it
/// does not accept is used as the bytes it is.
///
/// Done: mapping, prohibited characters, the rule for right-to-left text. Left out: the NFKC step, for which
/// the standard library has no table. A password with characters that NFKC would change (ligatures,
/// full-width forms, a letter and its accent apart) is therefore used as typed, and fails where the other
/// side normalised it. ASCII passwords are never changed by any of it.
package enum SASLPrep {
    /// The bytes to hash for a password.
    package static func prepare(_ password: [UInt8]) -> [UInt8] {
        if password.allSatisfy({ $0 < 0x80 }) { return password }
        guard let text = String(validating: password, as: UTF8.self) else { return password }
        var scalars: [Unicode.Scalar] = []
        for scalar in text.unicodeScalars {
            if isNonASCIISpace(scalar) {
                scalars.append(" ")
            } else if !isMappedToNothing(scalar) {
                scalars.append(scalar)
            }
        }
        guard !scalars.isEmpty, !scalars.contains(where: isProhibited), hasOneDirection(scalars) else {
            return password
        }
        var result = String.UnicodeScalarView()
        result.append(contentsOf: scalars)
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

    /// RFC 3454, tables C.2.1 to C.9, and code points that are not assigned.
    private static func isProhibited(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0...0x1f, 0x7f...0x9f: return true
        case 0x340, 0x341, 0x6dd, 0x70f, 0x180e: return true
        case 0x200c...0x200f, 0x2028...0x202e, 0x2060...0x2063, 0x206a...0x206f, 0x2ff0...0x2ffb: return true
        case 0xfeff, 0xfff9...0xfffd, 0x1d173...0x1d17a, 0xe0001, 0xe0020...0xe007f: return true
        default: break
        }
        return switch scalar.properties.generalCategory {
        case .privateUse, .surrogate, .unassigned: true
        default: false
        }
    }

    /// RFC 3454, section 6: with any right-to-left character, no left-to-right letter, and both ends
    /// right-to-left.
    private static func hasOneDirection(_ scalars: [Unicode.Scalar]) -> Bool {
        guard scalars.contains(where: isRightToLeft) else { return true }
        guard isRightToLeft(scalars[0]), isRightToLeft(scalars[scalars.count - 1]) else { return false }
        return !scalars.contains { $0.properties.isAlphabetic && !isRightToLeft($0) && !isMark($0) }
    }

    /// Vowel signs have no direction of their own.
    private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark: true
        default: false
        }
    }

    /// RFC 3454, table D.1.
    private static func isRightToLeft(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x5be, 0x5c0, 0x5c3, 0x5d0...0x5ea, 0x5f0...0x5f4, 0x61b, 0x61f, 0x621...0x63a: true
        case 0x640...0x64a, 0x66d...0x66f, 0x671...0x6d5, 0x6dd, 0x6e5...0x6e6, 0x6fa...0x6fe: true
        case 0x700...0x70d, 0x710, 0x712...0x72c, 0x780...0x7a5, 0x7b1, 0x200f, 0xfb1d: true
        case 0xfb1f...0xfb28, 0xfb2a...0xfb36, 0xfb38...0xfb3c, 0xfb3e, 0xfb40...0xfb41: true
        case 0xfb43...0xfb44, 0xfb46...0xfbb1, 0xfbd3...0xfd3d, 0xfd50...0xfd8f, 0xfd92...0xfdc7: true
        case 0xfdf0...0xfdfc, 0xfe70...0xfe74, 0xfe76...0xfefc: true
        default: false
        }
    }
}
