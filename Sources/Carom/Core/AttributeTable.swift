// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The distinct sets of attributes that connections have, each once, counted by use. Entry 0 is the empty set.
struct AttributeTable: Sendable {
    private struct Entry {
        var attributes: [String: String]
        var uses: Int
    }
    private var entries: [Entry] = [Entry(attributes: [:], uses: 1)]

    /// The entry for these attributes, used once more.
    mutating func retain(_ attributes: [String: String]) -> Int32 {
        if attributes.isEmpty { return 0 }
        var free = -1
        for index in 1..<max(1, entries.count) {
            if entries[index].uses == 0 {
                free = index
            } else if entries[index].attributes == attributes {
                entries[index].uses += 1
                return Int32(index)
            }
        }
        if free < 0 {
            entries.append(Entry(attributes: attributes, uses: 1))
            return Int32(entries.count - 1)
        }
        entries[free] = Entry(attributes: attributes, uses: 1)
        return Int32(free)
    }

    /// The same entry, used once more.
    mutating func retain(entry: Int32) {
        if entry != 0 { entries[Int(entry)].uses += 1 }
    }

    mutating func release(_ entry: Int32) {
        if entry == 0 { return }
        entries[Int(entry)].uses -= 1
        if entries[Int(entry)].uses == 0 { entries[Int(entry)].attributes = [:] }
    }

    subscript(entry: Int32) -> [String: String] { entries[Int(entry)].attributes }

    func matches(_ entry: Int32, _ requirement: [String: String]) -> Bool {
        requirement.isEmpty || Self.matches(entries[Int(entry)].attributes, requirement)
    }

    static func matches(_ attributes: [String: String], _ requirement: [String: String]) -> Bool {
        for (key, value) in requirement where attributes[key] != value { return false }
        return true
    }
}
