// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// A message of the extended protocol that names a statement, or its beginning, where it stands in a chunk.
///
/// Ranges of names are offsets into the message's body; ``rest(_:)`` is one of the chunk.
struct ExtendedMessage: ~Escapable {
    /// The names in the body.
    struct Names {
        /// What stands in front of the statement's name: the portal's name and terminator, or the kind of object.
        let before: Range<Int>
        /// Empty for the unnamed statement, and for a portal that is described or closed.
        let statement: Range<Int>
        let isPortal: Bool
    }

    /// What became of a message.
    enum Outcome {
        /// It is recorded and on its way. These may be its effects.
        case sent(StatementEffects)
        /// More of it is needed.
        case needMore
        /// What it means shows only when what the client has sent before is answered.
        case mustWait
    }

    let tag: FrontendTag
    /// Where it stands in the chunk, as far as it has come.
    let range: Range<Int>
    /// Of the whole message.
    let length: Int
    private let body: RawSpan
    /// What has come behind it.
    private let following: RawSpan

    @_lifetime(copy chunk)
    init(_ tag: FrontendTag, _ range: Range<Int>, length: Int, _ chunk: RawSpan) {
        self.tag = tag
        self.range = range
        self.length = length
        body = chunk.extracting((range.lowerBound + Framing.headerSize)..<range.upperBound)
        following = chunk.extracting(droppingFirst: range.upperBound)
    }

    /// More of it follows in later chunks.
    var isPart: Bool { range.count < length }

    /// Bytes of the body.
    @_lifetime(copy self)
    func bytes(_ range: Range<Int>) -> RawSpan { body.extracting(range) }

    /// The body behind a name and its terminator.
    @_lifetime(copy self)
    func bytes(after name: Range<Int>) -> RawSpan { body.extracting(droppingFirst: name.upperBound + 1) }

    /// Records the message.
    func record(_ server: inout ServerState) throws(SessionEnd) {
        do throws(FlowError) { try server.send(tag) } catch { throw .fatal(error.sqlState, "\(error)") }
    }

    /// Records the message and sends it on as it is.
    ///
    /// - Returns: no effects.
    func pass(_ server: inout ServerState, _ out: inout Segments) throws(SessionEnd) -> StatementEffects {
        try record(&server)
        out.append(chunk: range)
        return .none
    }

    /// Records and sends a message with a name that the client has not given: the server says so, in its own words.
    ///
    /// - Returns: no effects.
    func passUnknown(_ names: Names, _ server: inout ServerState, _ out: inout Segments)
        throws(SessionEnd) -> StatementEffects
    {
        guard PreparedStatement.isReserved(bytes(names.statement)) else { return try pass(&server, &out) }
        try record(&server)
        out.append { appendEscaped(names, into: &$0) }
        out.append(chunk: rest(names))
        return .none
    }

    /// Records and sends a Parse under the server's name for the statement.
    func passParse(_ name: Range<Int>, as number: UInt64, _ server: inout ServerState, _ out: inout Segments)
        throws(SessionEnd)
    {
        try record(&server)
        out.append { appendRenamedParse(name, to: number, into: &$0) }
        out.append(
            chunk: range.lowerBound + Framing.headerSize + name.upperBound + 1..<range.upperBound)
    }

    /// Where what follows the statement's name stands in the chunk.
    func rest(_ names: Names) -> Range<Int> {
        (range.lowerBound + Framing.headerSize + names.statement.upperBound + 1)..<range.upperBound
    }

    /// The names in a Bind, Describe or Close.
    func names() throws(WireError) -> Names {
        if tag == .bind {
            let names = try Bind.Names(body: body)
            return Names(
                before: names.portal.lowerBound..<(names.portal.upperBound + 1), statement: names.statement,
                isPortal: false)
        }
        var reader = WireReader(body)
        let kind = try reader.readUInt8()
        return Names(
            before: 0..<1, statement: try reader.readText(),
            isPortal: kind != DescribeTarget.statement.rawValue)
    }

    /// The first name: a statement's in a Parse, a portal's in an Execute.
    func firstName() throws(WireError) -> Range<Int> {
        var reader = WireReader(body)
        return try reader.readText()
    }

    /// The portal's name of a Bind.
    @_lifetime(copy self)
    func portal(_ names: Names) -> RawSpan {
        body.extracting(names.before.lowerBound..<(names.before.upperBound - 1))
    }

    /// Whether the portal of a Bind is described by the next message, which is there: so the client learns what rows to expect.
    func isDescribedNext(_ names: Names) -> Bool {
        let portal = portal(names)
        let start = Framing.headerSize + 1
        guard !isPart, following.byteCount > start + portal.byteCount,
            following.unsafeLoad(as: UInt8.self) == FrontendTag.describe.rawValue,
            following.unsafeLoad(fromByteOffset: start - 1, as: UInt8.self) == DescribeTarget.portal.rawValue,
            following.unsafeLoad(fromByteOffset: start + portal.byteCount, as: UInt8.self) == 0
        else { return false }
        return NameTable<Void>.isSame(
            portal.array(), following.extracting(start..<(start + portal.byteCount)))
    }

    /// Adds header and names with the server's name for the statement. The rest of the message goes behind that.
    func appendRenamed(_ names: Names, to number: UInt64, into out: inout [UInt8]) {
        append(before: names.before, replacing: names.statement, into: &out) {
            PreparedStatement.appendName(number, to: &$0)
        }
    }

    /// The same for a Parse.
    func appendRenamedParse(_ name: Range<Int>, to number: UInt64, into out: inout [UInt8]) {
        append(before: 0..<0, replacing: name, into: &out) { PreparedStatement.appendName(number, to: &$0) }
    }

    /// The same with a name that no server has a statement by.
    func appendEscaped(_ names: Names, into out: inout [UInt8]) {
        let name = body.extracting(names.statement).array()
        append(before: names.before, replacing: names.statement, into: &out) {
            PreparedStatement.appendEscaped(name, to: &$0)
        }
    }

    @inline(__always)
    private func append(
        before: Range<Int>, replacing old: Range<Int>, into out: inout [UInt8],
        name: (inout [UInt8]) -> Void
    ) {
        let start = out.count
        out.append(tag.rawValue)
        out.append32(0)
        for offset in before { out.append(body.unsafeLoad(fromByteOffset: offset, as: UInt8.self)) }
        let named = out.count
        name(&out)
        let word = UInt32(length - 1 - old.count + out.count - named)
        out[start + 1] = UInt8(truncatingIfNeeded: word &>> 24)
        out[start + 2] = UInt8(truncatingIfNeeded: word &>> 16)
        out[start + 3] = UInt8(truncatingIfNeeded: word &>> 8)
        out[start + 4] = UInt8(truncatingIfNeeded: word)
        out.append(0)
    }

    /// What a Bind is about to run: the effects of its statement, and whether that may insert rows. Nil for other messages.
    ///
    /// - Parameter unnamed: nothing changes in it; a copy of it would cost as much as all the rest.
    func text(_ statements: inout StatementNames, _ unnamed: inout UnnamedStatement) -> (
        effects: StatementEffects, mayAddRows: Bool
    )? {
        guard tag == .bind, let names = try? names() else { return nil }
        if names.statement.isEmpty { return (unnamed.effects, unnamed.mayAddRows) }
        guard let meaning = statements[bytes(names.statement)] else { return nil }
        return (meaning.statement.effects, meaning.statement.mayAddRows)
    }
}
