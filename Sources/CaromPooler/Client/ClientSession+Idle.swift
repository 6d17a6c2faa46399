// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// A client without a server.
extension ClientSession {
    /// Answers or drops, as PostgreSQL would between transactions, what needs no server. `true`: at `position` begins a
    /// message that needs one.
    ///
    /// A part of a message is no reason to take a server, as long as the whole fits into a read buffer: who sends slowly, or
    /// never the rest, keeps nobody waiting.
    func reachesWork(_ chunk: RawSpan, _ position: inout Int) throws(SessionEnd) -> Bool {
        while true {
            if !output.isEmpty {
                // The client does not take its answers: it goes on when it has.
                inputIsReady = position < chunk.byteCount
                return false
            }
            var ahead = walker
            var next = position
            switch ahead.next(in: chunk, at: &next, rules: worker.snapshot.clientFrames) {
            case .message(let tag, _), .run(let tag, _, _):
                if try startsWork(tag) { return true }
            case .beginning(let tag, _, let length):
                if try startsWork(tag) { return length > worker.buffer.count }
            case .continuation: break
            case .incomplete, .end: return false
            case .invalid(let error): throw .fatal(error.sqlState, "\(error)")
            }
            walker = ahead
            position = next
        }
    }

    private func startsWork(_ byte: UInt8) throws(SessionEnd) -> Bool {
        guard let tag = FrontendTag(rawValue: byte) else {
            throw .fatal(.protocolViolation, "invalid frontend message type \(byte)")
        }
        switch tag.idleMeaning {
        case .startsWork: return true
        case .ignored: return false
        case .answersReady:
            var bytes: [UInt8] = []
            ReadyForQuery(status: .idle).encode(into: &bytes)
            try send(bytes)
            return false
        case .terminates: throw .terminated
        case .violation:
            throw .fatal(.protocolViolation, "unexpected message type \(tagText(byte)): nothing asked for it")
        }
    }
}
