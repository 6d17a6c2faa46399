// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// Recognises literal IP addresses without asking the system.
enum IPLiteral {
    static func isAddress(_ text: String) -> Bool {
        text.utf8.contains(58) ? isIPv6(text) : isIPv4(text)
    }

    static func isIPv4(_ text: some StringProtocol) -> Bool {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4
            && parts.allSatisfy { part in
                guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (48...57).contains($0) }),
                    part.utf8.count == 1 || part.utf8.first != 48
                else { return false }
                return Int(part)! <= 255
            }
    }

    /// Eight groups of up to four hexadecimal digits, one `::`, an IPv4 tail, and a zone after `%`.
    static func isIPv6(_ text: String) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, parts[1].isEmpty { return false }
        let halves = halvesAroundGap(parts[0])
        guard let halves else { return false }
        guard let front = groups(halves.front), let back = groups(halves.back) else { return false }
        return halves.hasGap ? front + back <= 7 : front == 8
    }

    private static func halvesAroundGap(
        _ text: Substring
    ) -> (front: Substring, back: Substring, hasGap: Bool)? {
        var previous: UInt8 = 0
        var gap: Substring.Index?
        var index = text.utf8.startIndex
        while index < text.utf8.endIndex {
            let byte = text.utf8[index]
            if byte == 58, previous == 58 {
                if gap != nil { return nil }
                gap = text.utf8.index(before: index)
                previous = 0
            } else {
                previous = byte
            }
            index = text.utf8.index(after: index)
        }
        guard let gap else { return (text, "", false) }
        let after = text.utf8.index(gap, offsetBy: 2)
        return (text[..<gap], text[after...], true)
    }

    /// How many 16-bit groups the text stands for, or nil if it is malformed.
    private static func groups(_ text: Substring) -> Int? {
        if text.isEmpty { return 0 }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var count = 0
        for (offset, part) in parts.enumerated() {
            if offset == parts.count - 1, part.utf8.contains(46) {
                guard isIPv4(part) else { return nil }
                count += 2
            } else {
                guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexadecimal) else {
                    return nil
                }
                count += 1
            }
        }
        return count
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...70).contains(byte) || (97...102).contains(byte)
    }
}
