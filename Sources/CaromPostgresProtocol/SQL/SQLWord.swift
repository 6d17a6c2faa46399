// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a word means to the scanner of statements.
struct SQLWord {
    /// What it means in front of a parenthesis.
    enum Call: UInt8 {
        /// A function that nobody here knows.
        case unknown
        /// A keyword that names no function unless it is quoted.
        case reserved
        /// A keyword between two operands; a function elsewhere.
        case infix
        /// A function of PostgreSQL that leaves the session alone.
        case harmless
        case setsConfiguration, advancesSequence, readsSequence, keepsLock, letsGoOfLock
    }

    /// What a statement does that begins with it.
    enum Lead: UInt8 {
        case other
        case set, reset, discard, prepare, declare, listen, unlisten, create, alter, deallocate, explain, copy
        /// `INSERT`, `UPDATE`, `DELETE` and `MERGE`.
        case write
        /// Ends something of the session.
        case letsGo
        /// Code that nobody can see into.
        case runs
        /// The same, written for the occasion: what it changes is meant to last.
        case doBlock
    }

    var call = Call.unknown
    var lead = Lead.other
    /// A name follows, with a list of columns or types perhaps, and no call.
    var introducesName = false
    /// A statement that begins with it inserts no rows.
    var addsNoRows = false
}

/// The words that mean something, found by their bytes without an allocation.
struct SQLWords: @unchecked Sendable {
    static let all = SQLWords()

    private struct Slot {
        var text: UnsafePointer<UInt8>
        var length = 0
        var word = SQLWord()
    }

    private static let slotBits: UInt64 = 11
    // Unchecked: written by its initializer only.
    /// Made once and never freed, so that a look-up is a load.
    private let slots: UnsafeMutablePointer<Slot>

    private init() {
        let count = 1 << Int(Self.slotBits)
        slots = .allocate(capacity: count)
        slots.initialize(repeating: Slot(text: Self.reserved.utf8Start), count: count)
        add(Self.reserved) { $0.call = .reserved }
        add(Self.infix) { $0.call = .infix }
        // After the keywords: `left` is a function too.
        add(Self.harmless) { $0.call = .harmless }
        add("set_config") { $0.call = .setsConfiguration }
        add("nextval setval") { $0.call = .advancesSequence }
        add("currval lastval") { $0.call = .readsSequence }
        add("pg_advisory_lock pg_advisory_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared") {
            $0.call = .keepsLock
        }
        add("pg_advisory_unlock pg_advisory_unlock_shared pg_advisory_unlock_all") { $0.call = .letsGoOfLock }
        add(Self.introducers) { $0.introducesName = true }
        add(Self.rowless) { $0.addsNoRows = true }
        add("set") { $0.lead = .set }
        add("reset") { $0.lead = .reset }
        add("discard") { $0.lead = .discard }
        add("prepare") { $0.lead = .prepare }
        add("declare") { $0.lead = .declare }
        add("listen") { $0.lead = .listen }
        add("create") { $0.lead = .create }
        add("alter") { $0.lead = .alter }
        add("deallocate") { $0.lead = .deallocate }
        add("explain") { $0.lead = .explain }
        add("copy") { $0.lead = .copy }
        add("insert update delete merge") { $0.lead = .write }
        add("unlisten") { $0.lead = .unlisten }
        add("close drop rollback abort") { $0.lead = .letsGo }
        add("call execute load") { $0.lead = .runs }
        add("do") { $0.lead = .doBlock }
    }

    /// The word of `length` bytes at `text`. Only what is not quoted is folded to lower case.
    func find(_ text: UnsafePointer<UInt8>, _ length: Int, isQuoted: Bool) -> SQLWord {
        var index = Self.hash(text, length)
        while true {
            let slot = slots + index
            if slot.pointee.length == 0 { return SQLWord() }
            if slot.pointee.length == length,
                Self.isSame(text, slot.pointee.text, length, isQuoted ? 0 : 0x20)
            {
                return slot.pointee.word
            }
            index = (index &+ 1) & Self.mask
        }
    }

    private static var mask: Int { 1 << Int(slotBits) &- 1 }

    /// Enters each word of a list that has blanks or line ends between its words.
    private func add(_ list: StaticString, _ change: (inout SQLWord) -> Void) {
        var start = 0
        for end in 0...list.utf8CodeUnitCount {
            guard end == list.utf8CodeUnitCount || SQLBytes.isBlank(list.utf8Start[end]) else { continue }
            if end > start { change(&slots[place(list.utf8Start + start, end - start)].word) }
            start = end + 1
        }
    }

    private func place(_ text: UnsafePointer<UInt8>, _ length: Int) -> Int {
        var index = Self.hash(text, length)
        while slots[index].length > 0 {
            if slots[index].length == length, Self.isSame(text, slots[index].text, length, 0) { return index }
            index = (index + 1) & Self.mask
        }
        slots[index].text = text
        slots[index].length = length
        return index
    }

    /// Folded by a bit: among the bytes of names this joins nothing but the two cases of a letter, and bytes that
    /// no known word has.
    private static func isSame(
        _ one: UnsafePointer<UInt8>, _ other: UnsafePointer<UInt8>, _ length: Int, _ fold: UInt8
    ) -> Bool {
        for index in 0..<length where one[index] | fold != other[index] | fold { return false }
        return true
    }

    /// From the first and the last bytes, either case alike.
    private static func hash(_ text: UnsafePointer<UInt8>, _ length: Int) -> Int {
        var first: UInt64 = 0
        var last: UInt64 = 0
        let raw = UnsafeRawPointer(text)
        if length >= 8 {
            first = raw.loadUnaligned(as: UInt64.self)
            last = raw.loadUnaligned(fromByteOffset: length &- 8, as: UInt64.self)
        } else if length >= 4 {
            first = UInt64(raw.loadUnaligned(as: UInt32.self))
            last = UInt64(raw.loadUnaligned(fromByteOffset: length &- 4, as: UInt32.self))
        } else {
            for index in 0..<length { first = first &<< 8 | UInt64(text[index]) }
        }
        let middle = UInt64(length > 0 ? text[length / 2] : 0) | 0x20
        let fold: UInt64 = 0x2020_2020_2020_2020
        var hash = (first | fold) &* 0x9e37_79b9_7f4a_7c15
        hash ^= (last | fold) &* 0xc2b2_ae3d_27d4_eb4f
        hash = (hash ^ middle ^ UInt64(length) &<< 8) &* 0x9e37_79b9_7f4a_7c15
        return Int(truncatingIfNeeded: hash &>> (64 &- slotBits))
    }
}
