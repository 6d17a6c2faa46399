// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What is to be hashed for a user's keys. That takes long, and is meant to: two SHA-256 blocks an iteration.
package struct SCRAMKeyDerivation: Equatable, Sendable {
    package let password: [UInt8]
    package let salt: [UInt8]
    package let iterations: Int

    package init(password: [UInt8], salt: [UInt8], iterations: Int) {
        self.password = password
        self.salt = salt
        self.iterations = iterations
    }

    /// Does it.
    package func keys(using cryptography: some ProtocolCryptography) -> SCRAMKeys {
        SCRAMKeys(password: password, salt: salt, iterations: iterations, using: cryptography)
    }

    /// A name for the keys that tells nothing of the password to who does not know `secret`.
    package func name(under secret: [UInt8], using cryptography: some ProtocolCryptography) -> [UInt8] {
        var text: [UInt8] = []
        // With its length before each part no two derivations make the same text.
        for part in [password, salt, Array("\(iterations)".utf8)] {
            withUnsafeBytes(of: UInt64(part.count).bigEndian) { text.append(contentsOf: $0) }
            text += part
        }
        return cryptography.hmacSHA256(key: secret, data: text)
    }
}

extension SCRAMKeyDerivation: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { "SCRAMKeyDerivation(redacted, \(iterations) iterations)" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["iterations": iterations]) }
}

/// Keys that turned out to be right, by name: those that were used last, up to a number.
package struct SCRAMKeyCache: Sendable {
    private struct Entry {
        let keys: SCRAMKeys
        var lastUse: Int
    }

    private let limit: Int
    private var entries: [[UInt8]: Entry] = [:]
    private var uses = 0

    package init(limit: Int) { self.limit = limit }

    /// How many there are.
    package var count: Int { entries.count }

    /// The keys of a name, if they are known.
    package mutating func recall(_ name: [UInt8]) -> SCRAMKeys? {
        guard let entry = entries[name] else { return nil }
        uses += 1
        entries[name]?.lastUse = uses
        return entry.keys
    }

    /// Keeps keys; those that were not used for longest make room.
    package mutating func remember(_ keys: SCRAMKeys, as name: [UInt8]) {
        if entries[name] == nil, entries.count >= limit,
            let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse })
        {
            entries[oldest.key] = nil
        }
        uses += 1
        entries[name] = Entry(keys: keys, lastUse: uses)
    }
}
