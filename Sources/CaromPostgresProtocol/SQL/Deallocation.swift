// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The text `DEALLOCATE [PREPARE] name [;]`, and nothing else.
package struct Deallocation: Equatable, Sendable {
    /// Where the name stands in the text, with its quotes.
    package let nameRange: Range<Int>
    /// The name without quotes; what is not quoted is in lower case, as far as it is ASCII.
    package let name: [UInt8]

    /// Nil for other statements, for several, for `DEALLOCATE ALL` and for a name in `U&` escapes.
    package init?(_ text: RawSpan) {
        let found = text.withUnsafeBytes { bytes -> (Range<Int>, [UInt8])? in
            guard let base = bytes.baseAddress else { return nil }
            return Self.find(base.assumingMemoryBound(to: UInt8.self), bytes.count)
        }
        guard let found else { return nil }
        (nameRange, name) = found
    }

    private static func find(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> (Range<Int>, [UInt8])? {
        var tokens = SQLTokenizer(bytes, count: count)
        guard tokens.isKeyword(tokens.next(), "deallocate") else { return nil }
        var name = tokens.next()
        var following = tokens.next()
        if tokens.isKeyword(name, "prepare"), following.isName {
            name = following
            following = tokens.next()
        }
        while following.kind == .semicolon { following = tokens.next() }
        guard following.kind == .end, !tokens.isAmbiguous, !tokens.isKeyword(name, "all") else { return nil }
        let text = UnsafeBufferPointer(start: bytes + name.start, count: name.length)
        switch name.kind {
        case .word:
            return (name.start..<name.end, text.map { 0x41...0x5a ~= $0 ? $0 | 0x20 : $0 })
        case .quotedName:
            let unquoted = Self.unquoted(text)
            return unquoted.isEmpty ? nil : (name.start..<name.end, unquoted)
        default: return nil
        }
    }

    private static func unquoted(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var name: [UInt8] = []
        var index = 1
        while index < text.count - 1 {
            name.append(text[index])
            index += text[index] == UInt8(ascii: "\"") ? 2 : 1
        }
        return name
    }
}
