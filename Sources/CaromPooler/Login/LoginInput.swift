// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// What a client has sent before it was let in, as far as nobody has dealt with it.
struct LoginInput {
    private(set) var bytes: [UInt8] = []

    /// The longest message of an authentication: PostgreSQL's limit for a password (PG_MAX_AUTH_TOKEN_LENGTH).
    private static var longestAnswer: Int { 65_535 }
    /// What is read at a time; a login is short.
    private static var readSize: Int { 16_384 }

    /// Reads more, by way of `buffer`. False: nothing is there now.
    mutating func read(from transport: Transport, by buffer: UnsafeMutableRawBufferPointer)
        throws(SessionEnd) -> Bool
    {
        let buffer = UnsafeMutableRawBufferPointer(rebasing: buffer[..<Self.readSize])
        do throws(SystemError) {
            switch try transport.read(into: buffer) {
            case .bytes(let count):
                bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                return true
            case .wouldBlock: return false
            case .end: break
            }
        } catch {
            throw .clientLeft
        }
        throw .clientLeft
    }

    /// The next `count` bytes have been dealt with.
    mutating func remove(_ count: Int) {
        // Behind the last of them no room stays: the array is the client's for as long as it stays itself.
        if count == bytes.count { bytes = [] } else { bytes.removeFirst(count) }
    }

    /// All of it goes to somebody else.
    mutating func takeAll() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    /// The body of the next message, which must be an answer of the client's; nil if it has not come in full.
    mutating func takeAnswer() throws(SessionEnd) -> [UInt8]? {
        switch Framing.next(in: bytes.span.bytes, limit: Self.longestAnswer) {
        case .needMore: return nil
        case .invalid(let error): throw .fatal(.protocolViolation, "\(error)")
        case .frame(let header):
            guard header.tag == FrontendTag.password.rawValue else {
                if header.tag == FrontendTag.terminate.rawValue { throw .terminated }
                throw .fatal(
                    .protocolViolation,
                    "expected a password message, got message type \(tagText(header.tag))")
            }
            guard bytes.count >= header.length else { return nil }
            defer { remove(header.length) }
            return Array(bytes[Framing.headerSize..<header.length])
        }
    }
}
