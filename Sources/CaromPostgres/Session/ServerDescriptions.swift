// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import DequeModule

/// The server's answers to some of the Describe messages that it was sent: what it says of prepared statements and portals.
///
/// Messages are told apart by their numbers in the session's flow.
package struct ServerDescriptions: Sendable {
    /// What the server said.
    package struct Answer: Equatable, Sendable {
        /// The number of the Describe.
        package let message: UInt64
        /// Of the parameters: their count and OIDs, as Parse and ParameterDescription have them. Empty for a portal.
        package var types: [UInt8]
        /// What tells the shape of the rows from others: names, types, sizes and modifiers of the columns. Never 0.
        package let rows: UInt64
    }

    /// The Describes that somebody waits for, oldest first.
    private var wanted = Deque<UInt64>()
    private var answers: [Answer] = []
    /// What has come of the answer to the first of them.
    private var types: [UInt8] = []
    /// The body of a description that comes in pieces.
    private var pieces: [UInt8] = []
    private var isInPieces = false

    package init() {}

    /// Somebody waits for an answer.
    package var isWanted: Bool {
        @inline(__always) get { !wanted.isEmpty }
    }

    /// The answer to the Describe of this number is wanted.
    package mutating func want(_ message: UInt64) { wanted.append(message) }

    /// Answers have come.
    package var hasAnswers: Bool { !answers.isEmpty }

    /// Takes them.
    package mutating func take() -> [Answer] {
        defer { if !answers.isEmpty { answers = [] } }
        return answers
    }

    // MARK: From the server

    /// A message.
    ///
    /// - Parameter flow: before the message.
    /// - Returns: whether an answer is complete.
    mutating func heard(_ tag: UInt8, _ body: RawSpan, _ flow: borrowing QueryFlow) -> Bool {
        if !answersFirst(flow) { return false }
        if Self.descriptions.contains(tag) { return heard(tag, body) }
        // It is the answer to no Describe.
        if !Self.asides.contains(tag) { wanted.removeFirst() }
        return false
    }

    /// The beginning of a message that goes on in other chunks.
    mutating func heardPart(of tag: UInt8, _ body: RawSpan, _ flow: borrowing QueryFlow) {
        if wanted.isEmpty || !Self.descriptions.contains(tag) || !answersFirst(flow) { return }
        isInPieces = true
        pieces = body.array()
    }

    private mutating func answersFirst(_ flow: borrowing QueryFlow) -> Bool {
        let number = flow.extendedDone &+ 1
        while let first = wanted.first, first < number { wanted.removeFirst() }
        return wanted.first == number
    }

    /// More of the message whose beginning was the last that was heard.
    ///
    /// - Returns: whether an answer is complete.
    mutating func heardMore(_ tag: UInt8, _ piece: RawSpan, isLast: Bool) -> Bool {
        guard isInPieces else { return false }
        piece.withUnsafeBytes { pieces.append(contentsOf: $0) }
        if !isLast { return false }
        isInPieces = false
        let body = pieces
        pieces = []
        return heard(tag, body.span.bytes)
    }

    private mutating func heard(_ tag: UInt8, _ body: RawSpan) -> Bool {
        if tag == BackendTag.parameterDescription.rawValue {
            types = body.array()
            return false
        }
        let message = wanted.removeFirst()
        answers.append(Answer(message: message, types: types, rows: Self.digest(ofRows: body)))
        types = []
        return true
    }

    private static let descriptions = TagSet(
        [.parameterDescription, .rowDescription, .noData] as [BackendTag])
    /// What comes at any time.
    private static let asides = TagSet(
        [.noticeResponse, .notificationResponse, .parameterStatus] as [BackendTag])

    /// The messages up to this number are over, whatever came of them.
    mutating func failed(through number: UInt64) {
        while let first = wanted.first, first <= number { wanted.removeFirst() }
        types = []
    }

    // MARK: Digests

    /// Of the columns, but not of the table they come from, nor of the format of their values: PostgreSQL compares the same
    /// (`equalTupleDescs`). No columns are a shape, too.
    private static func digest(ofRows body: RawSpan) -> UInt64 {
        var digest = LastingDigest()
        _ = try? RowDescription.shapes(body: body) { digest.add($0) }
        return digest.value | 1
    }

    /// FNV-1a. Unlike Swift's own hash it is the same in every process: another one may take the client over that was told of rows.
    private struct LastingDigest {
        private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

        mutating func add(_ bytes: RawSpan) {
            for offset in bytes.byteOffsets { add(bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) }
            // Where one ends and the next begins makes a difference, too.
            add(UInt8(truncatingIfNeeded: bytes.byteCount))
        }

        private mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }

    /// What tells parameter types from others. Never 0.
    package static func digest(ofTypes types: [UInt8]) -> UInt64 {
        var hasher = Hasher()
        types.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize())) | 1
    }
}
