// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Whether what the client has sent can go to another server if its own is lost before it has answered anything: the beginning of a
/// transaction, in which nothing has happened yet, and, where the route wants it, what a standby has run, which cannot have changed
/// anything.
///
/// The bytes themselves are in the ``ServerState`` of the server that got them: there are fewer servers than clients.
struct Retention {
    enum Kind: UInt8 {
        /// Nothing is kept.
        case none
        /// Nothing is kept, and the next answer ends a series of losses.
        case counting
        /// What opens a transaction, and nothing else.
        case opening
        /// Anything.
        case reads
    }

    private(set) var kind = Kind.none
    /// Servers that were lost, one after the other, before they had answered.
    private var losses: UInt8 = 0
    /// The client has sent nothing yet since it got its server.
    private(set) var isFirst = false
    /// The server has said that the session ends, and the client was not told.
    private(set) var hidesGoodbye = false

    /// Servers that may be lost for what changes nothing wherever it goes.
    static var attempts: Int { 3 }
    /// More than this is not kept.
    static var limit: Int { 16_384 }

    @inline(__always)
    var isOn: Bool { kind != .none }

    /// The client has got a server.
    @inline(__always)
    mutating func attached() { isFirst = true }

    /// A chunk of the client's has been recorded.
    @inline(__always)
    mutating func noteChunk() { isFirst = false }

    /// What the client sends next is kept, if it is the first that is under way.
    mutating func begin(_ wanted: Kind, _ server: inout ServerState) {
        guard kind == .none || kind == .counting else { return }
        kind = wanted
        server.retained.removeAll(keepingCapacity: true)
    }

    /// The same for a route whose reads go to another server so many times, if nothing else is under way.
    mutating func beginReads(_ retries: Int, _ server: inout ServerState) {
        if retries > 0, server.flow.isFree { begin(.reads, &server) }
    }

    /// The client has sent this.
    @inline(never)
    mutating func add(_ bytes: RawSpan, _ server: inout ServerState) {
        guard kind == .opening || kind == .reads else { return }
        guard server.retained.count + bytes.byteCount <= Self.limit else { return end(&server) }
        bytes.withUnsafeBytes { server.retained.append(contentsOf: $0) }
        if kind == .opening, !Self.isOpening(server.retained.span.bytes) { end(&server) }
    }

    /// One request, of which one part runs: that which was found to open a transaction.
    private static func isOpening(_ bytes: RawSpan) -> Bool {
        var (position, messages, queries, binds) = (0, 0, 0, 0)
        while position < bytes.byteCount {
            guard case .frame(let header) = Framing.next(in: bytes, at: position),
                position + header.length <= bytes.byteCount
            else { return false }
            switch FrontendTag(rawValue: header.tag) {
            case .query: queries += 1
            case .bind: binds += 1
            case .parse, .describe, .execute, .close, .flush, .sync: break
            default: return false
            }
            messages += 1
            position += header.length
        }
        return queries == 0 ? binds == 1 : messages == 1
    }

    /// The server has answered, or too much was sent: what was sent is this server's.
    mutating func end(_ server: inout ServerState) {
        self = Retention()
        server.retained.removeAll(keepingCapacity: true)
    }

    /// The server is lost.
    ///
    /// - Parameters:
    ///   - room: how much can be taken back.
    ///   - retries: how often reads go to another server.
    /// - Returns: what goes to another; nil if nothing does.
    mutating func takeBack(_ server: inout ServerState, room: Int, retries: Int) -> [UInt8]? {
        let bytes = server.retained
        guard kind == .opening || kind == .reads, bytes.count <= room else { return nil }
        return countLoss(upTo: kind == .reads ? retries : Self.attempts) ? bytes : nil
    }

    /// - Returns: whether there may be another attempt.
    mutating func countLoss(upTo limit: Int) -> Bool {
        if Int(losses) >= limit { return false }
        losses += 1
        kind = .counting
        hidesGoodbye = false
        return true
    }

    /// The server says this, in whole messages or not.
    ///
    /// - Returns: whether the client is told, for whom it is the beginning of the answer. A goodbye in place of an answer is not.
    @inline(__always)
    mutating func mayTell(_ bytes: UnsafeRawBufferPointer, _ server: inout ServerState) -> Bool {
        !isOn || answers(RawSpan(_unsafeBytes: bytes), &server)
    }

    @inline(never)
    private mutating func answers(_ bytes: RawSpan, _ server: inout ServerState) -> Bool {
        if kind == .opening || kind == .reads, Self.isGoodbye(bytes) {
            hidesGoodbye = true
            return false
        }
        end(&server)
        return true
    }

    /// What a server says to all its clients when it goes down: a warning or FATAL, nothing else.
    private static func isGoodbye(_ bytes: RawSpan) -> Bool {
        var position = 0
        while position < bytes.byteCount {
            guard case .frame(let header) = Framing.next(in: bytes, at: position),
                position + header.length <= bytes.byteCount
            else { return false }
            let fields = ErrorFields(
                body: bytes.extracting((position + Framing.headerSize)..<(position + header.length)))
            let isGoing = fields.code == .adminShutdown || fields.code == .crashShutdown
            switch BackendTag(rawValue: header.tag) {
            case .noticeResponse where isGoing: break
            case .errorResponse where isGoing && fields.isFatal: break
            default: return false
            }
            position += header.length
        }
        return true
    }
}
