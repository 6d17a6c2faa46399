// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
package import CaromTLS
import Glibc

/// How far a handshake has come.
package enum TLSHandshake: Hashable, Sendable {
    /// Encrypted bytes can be read and written.
    case done
    /// Go on when the handler is called.
    case wantsMore
}

extension Transport {
    /// Puts TLS between the socket and its user, who continues with ``handshake()``. The context says for which side.
    ///
    /// Nothing is sent yet. Before that both sides must have agreed to it in their protocol.
    ///
    /// - Parameters:
    ///   - context: certificates, versions and the rest.
    ///   - host: for a client, the name it dialled: sent as SNI and compared with the certificate by `verify_full`.
    ///   - resumptionKey: for a client, what tells servers apart that share a name.
    ///   - unread: bytes that were read off the socket behind the agreement and not used. They came unencrypted, so whoever
    ///     put them there need not be the peer (CVE-2021-23214): any are an error.
    ///   - hello: bytes that were read off the socket and belong to the handshake, of a peer that begins with it.
    /// - Throws: `TLSError`; the transport is of no further use then.
    /// - Precondition: the layer is plain.
    package func startTLS(
        _ context: TLSContext, host: String? = nil, resumptionKey: String? = nil, unread: Int = 0,
        hello: [UInt8] = []
    ) throws(TLSError) {
        precondition(tls == nil, "TLS over TLS")
        guard unread == 0 else {
            throw TLSError(
                .handshake,
                "\(unread) bytes came unencrypted behind the agreement to encrypt; they are refused")
        }
        tls = try TLSLayer(self, context, host: host, resumptionKey: resumptionKey, hello: hello)
    }

    /// Takes the handshake as far as it goes without waiting; call it first after ``startTLS(_:host:resumptionKey:unread:)``, and
    /// again whenever the handler is called.
    ///
    /// - Throws: `TLSError`: a certificate was refused, the peer speaks no TLS or left. Close the transport.
    /// - Precondition: TLS was started.
    package func handshake() throws(TLSError) -> TLSHandshake {
        guard let tls else { preconditionFailure("a handshake without TLS") }
        return try tls.handshake()
    }

    /// The session, for what it knows of the peer; nil while the layer is plain.
    package var session: TLSSession? { tls?.session }

    /// Whether bytes can be read and written: the layer is plain, or its handshake is done.
    package var carriesText: Bool { tls?.session.isEstablished ?? true }
}

extension SystemError {
    /// The peer has ended TLS, and said why, or has broken it: the error has the reason, which the kernel does not know.
    package var isOfTLS: Bool { code == EPROTO }
}

/// TLS between a transport and its socket.
///
/// Records go through the transport's own reads and writes, which keep track of the socket's readiness: so no call is made to
/// hear that there is nothing, and epoll watches for room exactly while a record waits for it.
final class TLSLayer {
    /// Uses the layer, and so is made behind it.
    private(set) var session: TLSSession!
    /// Owns the layer.
    private unowned(unsafe) let transport: Transport
    /// Read off the socket before there was a layer.
    private var hello: [UInt8]

    init(
        _ transport: Transport, _ context: TLSContext, host: String?, resumptionKey: String?, hello: [UInt8]
    ) throws(TLSError) {
        self.transport = transport
        self.hello = hello
        session = try TLSSession(context, over: self, host: host, resumptionKey: resumptionKey)
    }

    func handshake() throws(TLSError) -> TLSHandshake {
        switch session.handshake() {
        case .done: return .done
        case .wantRead, .wantWrite: return .wantsMore
        case .failed(let error): throw error
        }
    }

    // What follows is not inlined: a plain transport would pay for it at every call.

    /// Bytes may be waiting that no event of the socket will tell of.
    @inline(never)
    var mayHoldBytes: Bool { session.mayHoldBytes }

    /// Bytes, even an incomplete record, have been read ahead.
    @inline(never)
    var hasBuffered: Bool { session.hasBuffered }

    /// Sends the closing alert, as far as that goes without waiting.
    func sendClosingAlert() { _ = session.shutdown() }

    // MARK: Plain text

    @inline(never)
    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> ReadOutcome {
        var count = 0
        // A record at a time, until there are no more or no room.
        while count < buffer.count {
            switch session.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[count...])) {
            case .bytes(let more):
                count += more
                // To hear from OpenSSL that there is nothing costs as much as to read something.
                if !session.mayHoldBytes, !transport.isSocketReadable { return .bytes(count) }
            case .wantRead, .wantWrite: return count > 0 ? .bytes(count) : .wouldBlock
            case .closed where count == 0: return .end
            case .failed(let error) where count == 0: throw failure("read from", error)
            // Said again by the next read.
            case .closed, .failed: return .bytes(count)
            }
        }
        return .bytes(count)
    }

    @inline(never)
    func write(_ bytes: UnsafeRawBufferPointer) throws(SystemError) -> WriteOutcome {
        var taken = 0
        while taken < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[taken...])
            guard case .bytes(let count) = try writeRecord(rest, behind: taken)
            else { return taken > 0 ? .bytes(taken) : .wouldBlock }
            taken += count
        }
        return .bytes(taken)
    }

    /// Small pieces are put together, because each record has its own header, checksum and system call.
    @inline(never)
    func write(_ pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>) throws(SystemError) -> WriteOutcome {
        try withUnsafeTemporaryAllocation(byteCount: TLSContext.recordSize, alignment: 16) {
            (record) throws(SystemError) in
            var taken = 0
            var (piece, offset) = (0, 0)
            while true {
                let filled = Self.fill(record, from: pieces, &piece, &offset)
                if filled == 0 { return .bytes(taken) }
                var sent = 0
                while sent < filled {
                    let rest = UnsafeRawBufferPointer(rebasing: record[sent..<filled])
                    guard case .bytes(let count) = try writeRecord(rest, behind: taken) else {
                        return taken > 0 ? .bytes(taken) : .wouldBlock
                    }
                    sent += count
                    taken += count
                }
            }
        }
    }

    /// Copies from the pieces, beginning at `offset` of `piece`, until the record is full or they are used up.
    private static func fill(
        _ record: UnsafeMutableRawBufferPointer, from pieces: UnsafeBufferPointer<UnsafeRawBufferPointer>,
        _ piece: inout Int, _ offset: inout Int
    ) -> Int {
        var filled = 0
        while piece < pieces.count, filled < record.count {
            let count = min(pieces[piece].count - offset, record.count - filled)
            let source = UnsafeRawBufferPointer(rebasing: pieces[piece][offset..<(offset + count)])
            UnsafeMutableRawBufferPointer(rebasing: record[filled...]).copyMemory(from: source)
            filled += count
            offset += count
            if offset == pieces[piece].count { (piece, offset) = (piece + 1, 0) }
        }
        return filled
    }

    /// - Parameter taken: what the call has written before. If there is any it does not fail: the next one does.
    private func writeRecord(_ bytes: UnsafeRawBufferPointer, behind taken: Int) throws(SystemError)
        -> WriteOutcome
    {
        switch session.write(bytes) {
        case .bytes(let count): return .bytes(count)
        case .wantRead, .wantWrite: return .wouldBlock
        case .closed where taken > 0, .failed where taken > 0: return .wouldBlock
        case .closed:
            throw SystemError(code: EPIPE, operation: "write to \(transport.peer)")
        case .failed(let error): throw failure("write to", error)
        }
    }

    private func failure(_ verb: String, _ error: TLSError) -> SystemError {
        SystemError(code: EPROTO, operation: "\(verb) \(transport.peer): \(error)")
    }
}

/// Carries records over the socket.
extension TLSLayer: TLSCarrier {
    func receive(into buffer: UnsafeMutableRawBufferPointer) -> TLSTransfer {
        if !hello.isEmpty { return takeHello(into: buffer) }
        do throws(SystemError) {
            switch try transport.readSocket(into: buffer) {
            case .bytes(let count): return .bytes(count)
            case .wouldBlock: return .wouldBlock
            case .end: return .end
            }
        } catch {
            return .failed(error.code)
        }
    }

    private func takeHello(into buffer: UnsafeMutableRawBufferPointer) -> TLSTransfer {
        let count = min(hello.count, buffer.count)
        hello.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        hello = count == hello.count ? [] : Array(hello[count...])
        return .bytes(count)
    }

    func send(_ bytes: UnsafeRawBufferPointer) -> TLSTransfer {
        // A socket that was full is not tried again before epoll has said so.
        guard transport.isWritable else { return .wouldBlock }
        do throws(SystemError) {
            switch try transport.writeSocket(bytes) {
            case .bytes(let count): return .bytes(count)
            case .wouldBlock: return .wouldBlock
            }
        } catch {
            return .failed(error.code)
        }
    }
}
