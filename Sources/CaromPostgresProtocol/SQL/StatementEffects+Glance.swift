// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

extension StatementEffects {
    private typealias Block = SIMD16<UInt8>
    private typealias Lanes = SIMD2<UInt64>

    /// The effects of a text that needs no tokens; nil if it may need them.
    ///
    /// A statement that begins with a common word has none if nothing in it can be a call, a second statement or
    /// an `INTO TEMP`. Strings and comments need not be told apart: what stands in them only adds to what is found.
    @inline(__always)
    static func atAGlance(_ base: UnsafeRawPointer, _ count: Int) -> StatementEffects? {
        var start = base
        var count = count
        while count > 0, SQLBytes.isBlank(start.load(as: UInt8.self)) {
            start += 1
            count &-= 1
        }
        while count > 0 {
            let last = start.load(fromByteOffset: count &- 1, as: UInt8.self)
            guard last == UInt8(ascii: ";") || SQLBytes.isBlank(last) else { break }
            count &-= 1
        }
        guard let effects = leading(start, count) else { return nil }
        let isPlain: Bool
        switch start.load(as: UInt8.self) | 0x20 {
        // INSERT, UPDATE and DELETE make nothing with their INTO.
        case UInt8(ascii: "i"), UInt8(ascii: "u"), UInt8(ascii: "d"):
            isPlain = Self.isPlain(start, count, without: .marks)
        default: isPlain = Self.isPlain(start, count, without: .into)
        }
        return isPlain ? effects : nil
    }

    /// The effects of a plain statement, by its first four letters; whatever else begins with them is no
    /// statement.
    @inline(__always)
    private static func leading(_ start: UnsafeRawPointer, _ count: Int) -> StatementEffects? {
        guard count >= 4 else {
            let isEnd = count == 3 && start.loadUnaligned(as: UInt16.self) | 0x2020 == 0x6e65
            return isEnd && start.load(fromByteOffset: 2, as: UInt8.self) | 0x20 == 0x64 ? Self.none : nil
        }
        return switch UInt32(bigEndian: start.loadUnaligned(as: UInt32.self)) | 0x2020_2020 {
        case 0x7365_6c65,  // SELECT
            0x7570_6461,  // UPDATE
            0x696e_7365,  // INSERT
            0x6465_6c65,  // DELETE
            0x6265_6769,  // BEGIN
            0x636f_6d6d,  // COMMIT, COMMENT
            0x656e_6420,  // END
            0x7374_6172,  // START
            0x7361_7665,  // SAVEPOINT
            0x7265_6c65,  // RELEASE
            0x6665_7463,  // FETCH
            0x6d6f_7665,  // MOVE
            0x7368_6f77,  // SHOW
            0x7461_626c,  // TABLE
            0x7661_6c75,  // VALUES
            0x7472_756e,  // TRUNCATE
            0x616e_616c,  // ANALYZE
            0x7661_6375,  // VACUUM
            0x6c6f_636b,  // LOCK
            0x6e6f_7469:  // NOTIFY
            Self.none
        case 0x726f_6c6c,  // ROLLBACK
            0x6162_6f72:  // ABORT
            .letsGo
        default: nil
        }
    }

    private enum Search { case marks, into }

    /// Whether there is no `(` and no `;`, and no `into` in any case (nor `i_to` with any letter) if that is sought.
    @inline(__always)
    private static func isPlain(_ start: UnsafeRawPointer, _ count: Int, without search: Search) -> Bool {
        // The first three bytes are letters of the first word: marks are sought from the fourth on.
        guard count >= 19 else { return isPlainAndShort(start, count, without: search) }
        var index = 0
        let last = count &- 19
        var seen = Lanes(repeating: 0)
        while index < last {
            seen |= found(start + index, search)
            index &+= 16
        }
        seen |= found(start + last, search)
        return seen[0] | seen[1] == 0
    }

    private static func isPlainAndShort(
        _ start: UnsafeRawPointer, _ count: Int, without search: Search
    ) -> Bool {
        var index = 3
        while index < count {
            switch start.load(fromByteOffset: index, as: UInt8.self) {
            case UInt8(ascii: "("), UInt8(ascii: ";"): return false
            case UInt8(ascii: "o"), UInt8(ascii: "O"):
                let before = start.loadUnaligned(fromByteOffset: index &- 3, as: UInt32.self)
                let isInto = UInt32(bigEndian: before) | 0x2020_2020 == 0x696e_746f
                if search == .into, isInto { return false }
            default: break
            }
            index &+= 1
        }
        return true
    }

    /// Looks at the 16 bytes from the fourth on, for `into` at those and the three before. Zero is nothing.
    @inline(__always)
    private static func found(_ start: UnsafeRawPointer, _ search: Search) -> Lanes {
        let bytes = start.loadUnaligned(fromByteOffset: 3, as: Block.self)
        let marks =
            bytes .== Block(repeating: UInt8(ascii: "(")) .| bytes .== Block(repeating: UInt8(ascii: ";"))
        // `any` of a mask is a call; two words are not.
        if search == .marks { return unsafeBitCast(marks, to: Lanes.self) }
        let two = start.loadUnaligned(fromByteOffset: 2, as: Block.self)
        let fold = Block(repeating: 0x20)
        let i = start.loadUnaligned(as: Block.self) | fold .== Block(repeating: UInt8(ascii: "i"))
        let t = two | fold .== Block(repeating: UInt8(ascii: "t"))
        let o = bytes | fold .== Block(repeating: UInt8(ascii: "o"))
        return unsafeBitCast(i .& t .& o .| marks, to: Lanes.self)
    }
}
