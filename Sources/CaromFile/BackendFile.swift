// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import FoundationEssentials

/// Reads the text of a backend file.
///
/// Text: one backend a line, `[name] address [key=value …]`. `weight` and `priority` are numbers, every other key is
/// an attribute. `#` begins a comment. An address is what ``BackendAddress/init(parsing:defaultPort:)`` reads.
///
/// ```
/// # the orders database
/// db1 10.0.0.1:5432 weight=3 zone=a
/// [2001:db8::7]:5432 priority=10
/// /run/postgresql/.s.PGSQL.5432
/// ```
///
/// JSON: an array of objects with `address` and optionally `name`, `weight`, `priority`, `attributes`.
enum BackendFile {
    static func parse(text: String, defaultPort: UInt16?) throws(FileResolverError) -> [Backend] {
        var backends: [Backend] = []
        var number = 0
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            let content = line.prefix { $0 != "#" }
            let words = content.split(whereSeparator: \.isWhitespace).map(String.init)
            if words.isEmpty { continue }
            backends.append(try backend(words, line: number, defaultPort: defaultPort))
        }
        return backends
    }

    private static func backend(
        _ words: [String], line: Int, defaultPort: UInt16?
    ) throws(FileResolverError) -> Backend {
        var rest = words[...]
        let first = rest.removeFirst()
        var name: String?
        var address = try? BackendAddress(parsing: first, defaultPort: defaultPort)
        if address == nil, let second = rest.first, !second.contains("=") {
            name = first
            rest.removeFirst()
            do {
                address = try BackendAddress(parsing: second, defaultPort: defaultPort)
            } catch {
                throw FileResolverError(line: line, text: error.description)
            }
        }
        guard let address else {
            throw FileResolverError(line: line, text: "'\(first)' is not followed by an address")
        }
        var backend = Backend(name: name, address: address)
        for word in rest { try set(word, of: &backend, line: line) }
        return backend
    }

    private static func set(
        _ word: String, of backend: inout Backend, line: Int
    ) throws(FileResolverError) {
        guard let equals = word.firstIndex(of: "="), equals != word.startIndex else {
            throw FileResolverError(line: line, text: "'\(word)' is not key=value")
        }
        let key = String(word[..<equals])
        let value = String(word[word.index(after: equals)...])
        switch key {
        case "weight": backend.weight = try number(value, key, line)
        case "priority": backend.priority = try number(value, key, line)
        default: backend.attributes[key] = value
        }
    }

    private static func number(_ text: String, _ key: String, _ line: Int) throws(FileResolverError) -> Int {
        guard let number = Int(text), (0...65535).contains(number) else {
            throw FileResolverError(line: line, text: "\(key) is '\(text)', allowed is 0 to 65535")
        }
        return number
    }

    static func parse(json bytes: [UInt8], defaultPort: UInt16?) throws(FileResolverError) -> [Backend] {
        let entries: [Entry]
        do {
            entries = try JSONDecoder().decode([Entry].self, from: Data(bytes))
        } catch {
            throw FileResolverError(line: nil, text: "not the JSON expected: \(error)")
        }
        var backends: [Backend] = []
        for (place, entry) in entries.enumerated() {
            do {
                backends.append(try entry.backend(defaultPort: defaultPort))
            } catch {
                throw FileResolverError(line: nil, text: "entry \(place + 1): \(error)")
            }
        }
        return backends
    }

    private struct Entry: Decodable {
        var name: String?
        var address: String
        var weight: Int?
        var priority: Int?
        var attributes: [String: String]?

        func backend(defaultPort: UInt16?) throws -> Backend {
            for (key, value) in [("weight", weight ?? 0), ("priority", priority ?? 0)] {
                guard (0...65535).contains(value) else {
                    throw FileResolverError(line: nil, text: "\(key) is \(value), allowed is 0 to 65535")
                }
            }
            return Backend(
                name: name, address: try BackendAddress(parsing: address, defaultPort: defaultPort),
                priority: priority ?? 0, weight: weight ?? 1, attributes: attributes ?? [:])
        }
    }
}
