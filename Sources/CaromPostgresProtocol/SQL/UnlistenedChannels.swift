// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The channels that a text's statements stop listening to.
package struct UnlistenedChannels: Equatable, Sendable {
    /// `UNLISTEN *` or `DISCARD ALL`.
    package private(set) var areAll = false
    /// As the server knows them.
    package private(set) var names: Set<String> = []

    /// None.
    package init() {}

    /// Reads a text. Of one that cannot be cut into tokens safely, and of a name in `U&` escapes, nothing is known.
    package init(in text: RawSpan) {
        self = text.withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return UnlistenedChannels() }
            var tokens = SQLTokenizer(base.assumingMemoryBound(to: UInt8.self), count: bytes.count)
            var found = UnlistenedChannels()
            while let statement = tokens.nextStatement() { found.add(statement, tokens) }
            return tokens.isAmbiguous ? UnlistenedChannels() : found
        }
    }

    private mutating func add(_ statement: [SQLTokenizer.Token], _ tokens: SQLTokenizer) {
        guard statement.count == 2 else { return }
        if tokens.isKeyword(statement[0], "discard") {
            if tokens.isKeyword(statement[1], "all") { areAll = true }
        } else if tokens.isKeyword(statement[0], "unlisten") {
            if let name = tokens.name(statement[1]) {
                names.insert(Self.cut(name))
            } else if statement[1].kind != .escapedName {
                areAll = true
            }
        }
    }

    /// There are none.
    package var isEmpty: Bool { !areAll && names.isEmpty }

    /// Adds what else is stopped.
    package mutating func formUnion(_ other: UnlistenedChannels) {
        areAll = areAll || other.areAll
        names.formUnion(other.names)
    }

    /// What is left of these.
    package func remaining(of channels: Set<String>) -> Set<String> {
        areAll ? [] : channels.subtracting(names)
    }

    /// The server cuts a name to 63 bytes, between two characters (`NAMEDATALEN`).
    private static func cut(_ name: [UInt8]) -> String {
        var end = min(name.count, 63)
        while end < name.count, end > 0, name[end] & 0xc0 == 0x80 { end -= 1 }
        return String(decoding: name[..<end], as: UTF8.self)
    }
}
