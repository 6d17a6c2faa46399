// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// What a client must show to cancel its query: a number to find it by and a secret to prove it with.
///
/// Every bit of the secret is drawn from the system's random source. Nothing of it comes from a `ConnectionID`, which logs show to
/// everybody, nor from a server's own secret, which never leaves the pooler. In session pooling the number is the process id of the
/// client's server, as directly; anybody may know that.
package struct CancelKey: Sendable {
    /// In the place of a server's process id, which drivers read as a signed number: positive, never 0.
    package let number: UInt32
    /// The whole secret up to protocol 3.1, and its first word from 3.2 on.
    private let first: UInt32
    /// The other words from protocol 3.2 on; empty, without memory, before.
    private let others: [UInt32]

    /// Words of the secret from protocol 3.2 on, which allows up to 64 (256 bytes).
    private static var longWords: Int { 8 }

    /// A key for a client that speaks this version: 4 bytes of secret up to 3.1, 32 from 3.2 on.
    package init(version: ProtocolVersion, number: UInt32, using random: inout some RandomNumberGenerator) {
        self.number = number
        first = random.next()
        others =
            version < ProtocolVersion(3, 2)
            ? [] : (1..<Self.longWords).map { _ in random.next() }
    }

    /// The same, with the pooler's number in it: whichever process of several gets a request with this key knows whose it is.
    package init(
        version: ProtocolVersion, of peer: PeerID, number: UInt32,
        using random: inout some RandomNumberGenerator
    ) {
        self.number = number
        first = random.next() | PeerID.hopMask
        others =
            version < ProtocolVersion(3, 2)
            ? [] : (1..<Self.longWords).map { _ in random.next() }
    }

    /// The key that a client was given by another process; nil if it is none of ours.
    package init?(_ data: BackendKeyData) {
        let words = stride(from: 0, to: data.key.count - 3, by: 4).map { start in
            data.key[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        guard data.key.count == words.count * 4, words.count == 1 || words.count == Self.longWords else {
            return nil
        }
        number = data.processID
        first = words[0]
        others = Array(words.dropFirst())
    }

    /// A number for a new key.
    package static func number(using random: inout some RandomNumberGenerator) -> UInt32 {
        UInt32.random(in: 1...UInt32(Int32.max), using: &random)
    }

    /// As the client gets it. Its description does not show the secret.
    package var data: BackendKeyData {
        var secret: [UInt8] = []
        secret.append32(first)
        for word in others { secret.append32(word) }
        return BackendKeyData(processID: number, key: secret)
    }

    /// Whether the request shows this key. How long the comparison takes says nothing about where they differ.
    package func matches(_ request: CancelRequest) -> Bool {
        let own = data
        guard request.processID == own.processID, request.key.count == own.key.count else { return false }
        return zip(request.key, own.key).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension CancelKey: CustomStringConvertible, CustomReflectable {
    package var description: String { data.description }
    package var customMirror: Mirror { Mirror(self, children: ["number": number]) }
}
