// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// A Parse that comes in pieces.
struct LongParse {
    /// Empty for the unnamed statement.
    let name: [UInt8]
    let number: UInt64
    let parsedAt: UInt64
    /// The number of the message in the server's flow.
    let sentAs: UInt64
    /// The settings that it is read by.
    private let meaning: TextMeaning?
    /// What stands behind the name, as far as it has come.
    private(set) var content: [UInt8]
    /// Of the whole text.
    private let share: StatementMemory.Share

    /// The beginning of a message, which was sent last.
    init(
        _ message: borrowing ExtendedMessage, name: [UInt8], _ number: UInt64, _ parsedAt: UInt64,
        _ content: [UInt8], _ meaning: TextMeaning?, _ flow: borrowing QueryFlow, _ memory: StatementMemory
    ) {
        self.name = name
        self.number = number
        self.parsedAt = parsedAt
        sentAs = flow.extendedSent
        self.content = content
        self.meaning = meaning
        share = StatementMemory.Share(of: message.length, in: memory)
    }

    mutating func append(_ piece: RawSpan) {
        piece.withUnsafeBytes { content.append(contentsOf: $0) }
    }

    /// All of it has come: its name means something.
    func finish(_ names: inout StatementNames, _ unnamed: inout UnnamedStatement) {
        let effects = StatementEffects(ofContent: content.span.bytes)
        if name.isEmpty { return unnamed.set(content.span.bytes, effects: effects, meaning, share.memory) }
        let statement = PreparedStatement(
            number: number, content: content, effects: effects, meaning, share.memory)
        names.set(
            name.span.bytes, to: StatementNames.Meaning(statement: statement, parsedAt: parsedAt))
    }
}
