// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// From the client to the server.
extension ClientSession {
    /// Reads what the client has sent and passes it on. `true`: something was done.
    func receiveFromClient() throws(SessionEnd) -> Bool {
        if waiting != nil {
            // Nothing is read while the client waits for a server, but its end is noticed: epoll tells of it.
            if stream.isHungUp { throw .clientLeft }
            return false
        }
        // Likewise while its first server looks at what it asked for at its start.
        if grant == .asked { return false }
        // Nothing is read for a side that does not keep up.
        if let server {
            if !server.state.value.output.isEmpty { return false }
        } else if !output.isEmpty {
            return false
        }
        guard inputIsReady || stream.isReadable else { return false }
        inputIsReady = false
        var count = input.count
        if count > 0 {
            input.withUnsafeBytes { buffer.copyMemory(from: $0) }
            input.removeAll(keepingCapacity: false)
        }
        if stream.isReadable, count < buffer.count {
            switch try readClient(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...])) {
            case .bytes(let more): count += more
            case .wouldBlock: break
            case .end: throw .clientLeft
            }
        }
        if count > 0 { try forward(UnsafeRawBufferPointer(rebasing: buffer[..<count])) }
        return true
    }

    /// Passes a chunk of the client's stream on, as far as it consists of messages; the rest is kept.
    private func forward(_ chunk: UnsafeRawBufferPointer) throws(SessionEnd) {
        var start = 0
        if server == nil {
            guard try reachesWork(RawSpan(_unsafeBytes: chunk), &start), try attach() else {
                return keep(chunk, from: start)
            }
        }
        guard let server else { preconditionFailure("attached without a server") }
        if grant == .open {
            sendWishes(to: server)
            if grant == .asked { return keep(chunk, from: start) }
        }
        var position = start
        var end: SessionEnd?
        do throws(SessionEnd) {
            try walk(RawSpan(_unsafeBytes: chunk), &position, server.state)
        } catch {
            end = error
        }
        // What came before a goodbye or an offence still goes out: the flow has counted it.
        write(UnsafeRawBufferPointer(rebasing: chunk[start..<position]), to: server)
        if let end { throw end }
        keep(chunk, from: position)
    }

    /// Takes note of every message in the chunk. `position` ends behind the last one that is to be sent.
    private func walk(_ chunk: RawSpan, _ position: inout Int, _ state: UnsafeSingleOwner<ConnectionState>)
        throws(SessionEnd)
    {
        var sent = position
        defer { position = sent }
        let logsQueries = logsQueries
        while true {
            switch walker.next(in: chunk, at: &position, rules: worker.snapshot.clientFrames) {
            case .message(let tag, let range), .run(let tag, let range, _), .beginning(let tag, let range, _):
                if tag == FrontendTag.terminate.rawValue { throw .terminated }
                if logsQueries { logQuery(tag, chunk.extracting(range)) }
                do throws(FlowError) {
                    try state.value.flow.sent(tag)
                } catch {
                    throw .fatal(error.sqlState, "\(error)")
                }
                sent = range.upperBound
            case .continuation(_, let range, _): sent = range.upperBound
            case .incomplete, .end: return
            case .invalid(let error): throw .fatal(error.sqlState, "\(error)")
            }
        }
    }

    /// Sends `bytes` to the server, behind what is to go ahead of them.
    func write(_ bytes: UnsafeRawBufferPointer, to server: PostgresConnection) {
        guard bytes.count > 0 || !prefix.isEmpty else { return }
        counters?.received(bytes.count)
        server.state.value.isSendingMessage = !walker.isAtBorder
        do {
            if prefix.isEmpty {
                try server.state.value.output.write(bytes, to: server.transport)
            } else {
                try prefix.withUnsafeBytes {
                    try server.state.value.output.write($0, bytes, to: server.transport)
                }
                prefix.removeAll(keepingCapacity: true)
            }
        } catch {
            // The server has closed. What it said last is still to be read; then the client is told.
            server.state.value.failure = PostgresError(.connection, "\(error)")
        }
    }

    private func keep(_ chunk: UnsafeRawBufferPointer, from position: Int) {
        guard position < chunk.count else { return }
        input = Array(chunk[position...])
    }
}
