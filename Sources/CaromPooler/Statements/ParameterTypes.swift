// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres

/// The types that a server gave the parameters of a prepared statement, where the client had left them open.
///
/// A server that parses the statement again is given them: today's table may ask for others, and the client would go on sending the old.
final class ParameterTypes: Sendable {
    /// Their count and OIDs, as Parse has them.
    let bytes: [UInt8]
    /// What tells them from others.
    let digest: UInt64
    private let share: StatementMemory.Share

    init(_ bytes: [UInt8], in memory: StatementMemory) {
        self.bytes = bytes
        digest = ServerDescriptions.digest(ofTypes: bytes)
        share = StatementMemory.Share(of: bytes.count, in: memory)
    }

    /// The content of a Parse, with these types in the place of its own.
    func content(of content: [UInt8]) -> [UInt8] {
        let end = content.firstIndex(of: 0).map { $0 + 1 } ?? content.count
        return content[..<end] + bytes
    }

    /// Whether the content of a Parse says these types itself.
    static func areSaid(_ bytes: [UInt8], in content: [UInt8]) -> Bool {
        content.count > bytes.count && content.suffix(bytes.count) == bytes[...]
            && content[content.count - bytes.count - 1] == 0
            && content.firstIndex(of: 0) == content.count - bytes.count - 1
    }
}
