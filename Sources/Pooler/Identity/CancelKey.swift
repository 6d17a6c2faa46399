// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a client must show to cancel its query: BackendKeyData of the protocol's message chapter.
///
/// Both parts are drawn from the system's random source and have nothing to do with any ``ConnectionID``, which logs
/// show to everybody. The number is for finding, the secret is for proving; compare secrets with ``==`` only.
package struct CancelKey: Sendable {
    /// In the place of a server's process id: positive, never 0.
    package let processID: Int32
    // Up to 32 bytes without an allocation; bytes beyond `secretLength` are zero.
    private let words: (UInt64, UInt64, UInt64, UInt64)
    /// Bytes of the secret.
    package let secretLength: Int

    /// Protocol 3.0 has room for 4 bytes.
    package static let shortSecret = 4
    /// Protocol 3.2 allows up to 256 bytes; 32 cannot be guessed, and poolers and drivers are known to cope with them.
    package static let longSecret = 32

    /// A new key from the system's random source.
    package init(secretLength: Int) {
        var random = SystemRandomNumberGenerator()
        self.init(secretLength: secretLength, using: &random)
    }

    package init(secretLength: Int, using random: inout some RandomNumberGenerator) {
        precondition((4...Self.longSecret).contains(secretLength), "a cancel secret has 4 to 32 bytes")
        processID = Int32.random(in: 1...Int32.max, using: &random)
        self.secretLength = secretLength
        // Odyssey and PgBouncer alike draw fewer bits than they send; here every bit sent is drawn.
        words = (
            Self.word(0, secretLength, &random), Self.word(1, secretLength, &random),
            Self.word(2, secretLength, &random), Self.word(3, secretLength, &random)
        )
    }

    /// A key as a CancelRequest shows it; `nil` when its secret can be none of ours by its length.
    package init?(processID: Int32, secret: some Collection<UInt8>) {
        guard (4...Self.longSecret).contains(secret.count) else { return nil }
        self.processID = processID
        secretLength = secret.count
        var words: [UInt64] = [0, 0, 0, 0]
        for (index, byte) in secret.enumerated() { words[index / 8] |= UInt64(byte) << UInt64(index % 8 * 8) }
        self.words = (words[0], words[1], words[2], words[3])
    }

    /// The secret as it goes over the wire.
    package var secret: [UInt8] {
        (0..<secretLength).map { index in
            let word = [words.0, words.1, words.2, words.3][index / 8]
            return UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
        }
    }

    /// The random word at an index, with nothing in the bytes that a shorter secret does not have.
    private static func word(_ index: Int, _ length: Int, _ random: inout some RandomNumberGenerator) -> UInt64 {
        let bytes = min(max(length - index * 8, 0), 8)
        guard bytes > 0 else { return 0 }
        return random.next() >> UInt64((8 - bytes) * 8)
    }
}

extension CancelKey: Hashable {
    /// Takes the same time wherever the first difference is.
    package static func == (left: CancelKey, right: CancelKey) -> Bool {
        let first = (left.words.0 ^ right.words.0) | (left.words.1 ^ right.words.1)
        let second = (left.words.2 ^ right.words.2) | (left.words.3 ^ right.words.3)
        let lengths = UInt64(truncatingIfNeeded: left.secretLength ^ right.secretLength)
        let numbers = UInt64(UInt32(bitPattern: left.processID ^ right.processID))
        return (first | second | lengths | numbers) == 0
    }

    /// By the number alone: a table of keys must not be searchable by pieces of the secret.
    package func hash(into hasher: inout Hasher) {
        hasher.combine(processID)
    }
}

extension CancelKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The number only.
    package var description: String { "\(processID)/***" }
    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["processID": processID]) }
}
