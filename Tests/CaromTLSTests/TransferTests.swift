// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTLS
import CaromTestSupport
import Glibc
import Testing

@Suite struct TransferTests {
    let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates.shared.get()
    }

    func pair(_ versions: TLSVersions = .secure) throws -> SessionPair {
        try SessionPair(
            TLSContext(.client, TLSOptions(mode: .require, versions: versions)),
            TLSContext(
                .server,
                TLSOptions(
                    mode: .require, certificateFile: certificates.path("server.crt"),
                    keyFile: certificates.path("server.key"))))
    }

    @Test(arguments: [TLSVersions.tls12, .tls13])
    func eightMegabytesArriveUnchangedThroughAFullSocket(versions: TLSVersions) throws {
        let pair = try pair(versions)
        #expect(pair.handshake().client == .done)
        let sent = (0..<8_000_003).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 9) }
        var offset = 0
        var received: [UInt8] = []
        var stalls = 0
        while received.count < sent.count {
            writing: while offset < sent.count {
                // A fresh copy each time: the buffer has moved when a write is retried.
                switch pair.client.write(Array(sent[offset..<min(offset + 50_000, sent.count)])) {
                case .bytes(let count): offset += count
                case .wantWrite:
                    stalls += 1
                    break writing
                case let other:
                    Issue.record("unexpected \(other)")
                    return
                }
            }
            reading: while true {
                let step = pair.server.read(limit: 10_000)
                switch step.outcome {
                case .bytes: received += step.bytes
                case .wantRead: break reading
                case let other:
                    Issue.record("unexpected \(other)")
                    return
                }
            }
        }
        #expect(received == sent)
        #expect(stalls > 0)
    }

    @Test func aShortReadLeavesTheRestPending() throws {
        let pair = try pair()
        #expect(pair.handshake().client == .done)
        #expect(pair.client.write([1, 2, 3, 4, 5]) == .bytes(5))
        #expect(pair.server.read(limit: 2).bytes == [1, 2])
        #expect(pair.server.pending == 3)
        #expect(pair.server.hasBuffered)
        #expect(pair.server.read(limit: 9).bytes == [3, 4, 5])
        #expect(pair.server.read().outcome == .wantRead)
        #expect(!pair.server.hasBuffered)
    }

    @Test func emptyBuffersDoNothing() throws {
        let pair = try pair()
        #expect(pair.handshake().client == .done)
        #expect(pair.client.write([]) == .bytes(0))
        #expect(pair.client.read(limit: 0).outcome == .bytes(0))
        #expect(pair.server.read().outcome == .wantRead)
    }

    @Test func aShutdownIsSeenAsACleanClose() throws {
        let pair = try pair()
        #expect(pair.handshake().client == .done)
        #expect(pair.client.write([7]) == .bytes(1))
        #expect(pair.client.shutdown() == .done)
        #expect(pair.server.read().bytes == [7])
        #expect(pair.server.read().outcome == .closed)
        #expect(!pair.server.isTruncated)
        #expect(pair.server.shutdown() == .done)
    }

    @Test func anEndWithoutAClosingAlertIsAClosedNotAFailure() throws {
        let pair = try pair()
        #expect(pair.handshake().client == .done)
        pair.closeSocket(pair.clientSocket)
        #expect(pair.server.read().outcome == .closed)
        #expect(pair.server.isTruncated)
    }

    @Test func writingToAVanishedPeerRaisesNoSignal() throws {
        let pair = try pair()
        #expect(pair.handshake().client == .done)
        pair.closeSocket(pair.clientSocket)
        #expect(pair.server.write([1, 2, 3]) == .closed)
        #expect(pair.server.read().outcome == .closed)
        #expect(pair.server.isTruncated)
    }

    @Test func anEndDuringTheHandshakeIsAFailure() throws {
        let pair = try pair()
        #expect(pair.client.handshake() == .wantRead)
        pair.closeSocket(pair.clientSocket)
        #expect(pair.server.handshake() == .wantRead || pair.server.handshake().error != nil)
        #expect(pair.server.handshake().error?.code != nil)
    }

    @Test(arguments: [
        Array("GET / HTTP/1.1\r\n\r\n".utf8), [0, 0, 0, 8, 4, 210, 22, 47, 0, 0, 0, 8, 4, 210, 22, 47],
        [22, 3, 1, 255, 255] + [UInt8](repeating: 0xff, count: 600), [UInt8](repeating: 0, count: 64),
    ])
    func garbageInsteadOfAHandshakeIsAnError(bytes: [UInt8]) throws {
        let pair = try pair()
        #expect(send(pair.clientSocket, bytes, bytes.count, 0) == bytes.count)
        let error = pair.server.handshake().error
        #expect(error?.code == .handshake)
        #expect(error?.stack.isEmpty == false)
        #expect(pair.server.handshake().error == error)
        #expect(pair.server.write([1]) == error.map { .failed($0) })
        #expect(pair.server.shutdown() == .done)
    }

    @Test func garbageAfterTheHandshakeIsAnErrorOnce() throws {
        let pair = try pair()
        #expect(pair.handshake().client == .done)
        let bytes = [23, 3, 3, 0, 32] + [UInt8](repeating: 9, count: 32)
        #expect(send(pair.clientSocket, bytes, bytes.count, 0) == bytes.count)
        guard case .failed(let error) = pair.server.read().outcome else {
            Issue.record("garbage was accepted")
            return
        }
        #expect(error.code == .peer)
        // The queue belongs to the thread: another session must not find what this one left.
        #expect(
            try SessionPair(self.pair().client.context, self.pair().server.context).handshake().client
                == .done)
    }
}
