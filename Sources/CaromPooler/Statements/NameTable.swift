// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Glibc

/// Values by names that are bytes, found without a copy of the name.
///
/// A client has few names, and often one: the last that was found is looked at first.
struct NameTable<Value> {
    private struct Entry {
        let name: [UInt8]
        var value: Value
    }

    private var entries: [Entry] = []
    /// Places of the entries by the hash of their names; made when there are many.
    private var places: [Int: [Int]] = [:]
    private var last = 0

    /// Up to this many entries are searched one by one.
    private static var few: Int { 8 }

    var isEmpty: Bool { entries.isEmpty }
    var count: Int { entries.count }

    /// The value of a name.
    subscript(name: RawSpan) -> Value? {
        mutating get { find(name).map { entries[$0].value } }
    }

    /// Sets the value of a name, or removes it.
    ///
    /// - Returns: the value before.
    @discardableResult
    mutating func set(_ name: RawSpan, to value: Value?) -> Value? {
        guard let place = find(name) else {
            if let value { add(Entry(name: name.array(), value: value)) }
            return nil
        }
        let before = entries[place].value
        if let value { entries[place].value = value } else { remove(at: place) }
        return before
    }

    mutating func removeAll() {
        entries = []
        places = [:]
        last = 0
    }

    /// All values with their names.
    var all: [(name: [UInt8], value: Value)] { entries.map { ($0.name, $0.value) } }

    /// The name of the first value that `isWanted`.
    func name(where isWanted: (Value) -> Bool) -> [UInt8]? { entries.first { isWanted($0.value) }?.name }

    private mutating func find(_ name: RawSpan) -> Int? {
        if last < entries.count, Self.isSame(entries[last].name, name) { return last }
        if places.isEmpty {
            for place in entries.indices where Self.isSame(entries[place].name, name) {
                last = place
                return place
            }
            return nil
        }
        for place in places[Self.hash(name)] ?? [] where Self.isSame(entries[place].name, name) {
            last = place
            return place
        }
        return nil
    }

    private mutating func add(_ entry: Entry) {
        entries.append(entry)
        last = entries.count - 1
        if !places.isEmpty {
            places[Self.hash(entry.name), default: []].append(last)
        } else if entries.count > Self.few {
            for place in entries.indices { places[Self.hash(entries[place].name), default: []].append(place) }
        }
    }

    /// The last entry takes the place of the one that goes.
    private mutating func remove(at place: Int) {
        let end = entries.count - 1
        if !places.isEmpty {
            forget(place)
            if place != end {
                forget(end)
                places[Self.hash(entries[end].name), default: []].append(place)
            }
        }
        entries[place] = entries[end]
        entries.removeLast()
    }

    private mutating func forget(_ place: Int) {
        let hash = Self.hash(entries[place].name)
        places[hash]?.removeAll { $0 == place }
        if places[hash]?.isEmpty == true { places[hash] = nil }
    }

    static func hash(_ name: RawSpan) -> Int { name.withUnsafeBytes { hash($0) } }

    static func hash(_ name: [UInt8]) -> Int { name.withUnsafeBytes { hash($0) } }

    private static func hash(_ name: UnsafeRawBufferPointer) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: name)
        return hasher.finalize()
    }

    static func isSame(_ bytes: [UInt8], _ span: RawSpan) -> Bool {
        guard bytes.count == span.byteCount else { return false }
        if bytes.isEmpty { return true }
        return span.withUnsafeBytes { span in
            bytes.withUnsafeBytes { memcmp($0.baseAddress!, span.baseAddress!, span.count) == 0 }
        }
    }
}
