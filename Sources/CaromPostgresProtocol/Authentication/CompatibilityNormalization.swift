// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Normalization form KC (Unicode Standard Annex 15) of characters of Unicode 3.2.
enum CompatibilityNormalization {
    /// Takes every character apart, puts marks in their order, and puts together what belongs together.
    static func normalize(_ scalars: [UInt32]) -> [UInt32] {
        var result: [UInt32] = []
        for scalar in scalars { decompose(scalar, into: &result) }
        order(&result)
        return compose(result)
    }

    // MARK: Taking apart

    private static func decompose(_ scalar: UInt32, into result: inout [UInt32]) {
        if let syllable = Hangul.parts(of: scalar) {
            result += syllable
        } else if let made = SASLTables.decomposition[scalar] {
            for part in made.scalars { decompose(part, into: &result) }
        } else {
            result.append(scalar)
        }
    }

    /// Sorts marks behind one letter by their class; those of one class stay as they are.
    private static func order(_ scalars: inout [UInt32]) {
        for index in scalars.indices.dropFirst() {
            let own = combiningClass(scalars[index])
            if own == 0 { continue }
            var place = index
            while place > 0, combiningClass(scalars[place - 1]) > own {
                scalars.swapAt(place, place - 1)
                place -= 1
            }
        }
    }

    private static func combiningClass(_ scalar: UInt32) -> UInt8 {
        Unicode.Scalar(scalar)?.properties.canonicalCombiningClass.rawValue ?? 0
    }

    // MARK: Putting together

    private static func compose(_ scalars: [UInt32]) -> [UInt32] {
        var result: [UInt32] = []
        // The last letter, and the class of the last mark that stayed behind it.
        var starter: Int?
        var lastClass: UInt8 = 0
        for scalar in scalars {
            let own = combiningClass(scalar)
            if let starter, lastClass < own || lastClass == 0 && starter == result.count - 1,
                let composed = composite(result[starter], scalar)
            {
                result[starter] = composed
                continue
            }
            if own == 0 { starter = result.count }
            lastClass = own
            result.append(scalar)
        }
        return result
    }

    private static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
        Hangul.composite(first, second)
            ?? SASLTables.composition[SASLTables.Pair(first: first, second: second)]
    }
}

/// Korean syllables, which are computed (The Unicode Standard, section 3.12).
private enum Hangul {
    private static let (syllables, leads, vowels, tails): (UInt32, UInt32, UInt32, UInt32) =
        (0xac00, 0x1100, 0x1161, 0x11a7)
    private static let (leadCount, vowelCount, tailCount): (UInt32, UInt32, UInt32) = (19, 21, 28)

    static func parts(of syllable: UInt32) -> [UInt32]? {
        let count = leadCount * vowelCount * tailCount
        guard syllable >= syllables, syllable - syllables < count else { return nil }
        let index = syllable - syllables
        let lead = leads + index / (vowelCount * tailCount)
        let vowel = vowels + index % (vowelCount * tailCount) / tailCount
        let tail = index % tailCount
        return tail == 0 ? [lead, vowel] : [lead, vowel, tails + tail]
    }

    static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if (leads..<leads + leadCount).contains(first), (vowels..<vowels + vowelCount).contains(second) {
            return syllables + ((first - leads) * vowelCount + second - vowels) * tailCount
        }
        let count = leadCount * vowelCount * tailCount
        guard (syllables..<syllables + count).contains(first), (first - syllables) % tailCount == 0,
            (tails + 1..<tails + tailCount).contains(second)
        else { return nil }
        return first + second - tails
    }
}
