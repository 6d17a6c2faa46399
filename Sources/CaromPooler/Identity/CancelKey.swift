// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

package import CaromPostgresProtocol

/// Makes what a client must show to cancel its query: a number to find it by and a secret to prove it with.
///
/// Every bit is drawn from the system's random source. Nothing of it comes from a `ConnectionID`, which logs show to
/// everybody, nor from a server's own key, which never leaves the pooler.
package struct CancelKey: Sendable {
    /// As the client gets it. Its description does not show the secret.
    package let data: BackendKeyData

    /// A key for a client that speaks this version: 4 bytes of secret up to 3.1, 32 from 3.2 on, which allows up to 256.
    package init(version: ProtocolVersion) {
        var random = SystemRandomNumberGenerator()
        self.init(version: version, using: &random)
    }

    package init(version: ProtocolVersion, using random: inout some RandomNumberGenerator) {
        // In the place of a server's process id, which drivers read as a signed number: positive, never 0.
        let number = UInt32.random(in: 1...UInt32(Int32.max), using: &random)
        var secret: [UInt8] = []
        for _ in 0..<(version < ProtocolVersion(3, 2) ? 1 : 8) {
            let word: UInt32 = random.next()
            for shift in stride(from: 24, through: 0, by: -8) {
                secret.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        data = BackendKeyData(processID: number, key: secret)
    }
}
