// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import CaromTLS
import CaromTestSupport
import Glibc
import Testing

@testable import CaromTCP

@Suite("Transports with TLS") struct TransportTLSTests {
    let server: TLSContext
    let certificates: TestCertificates

    init() throws {
        certificates = try TestCertificates.shared.get()
        server = try TLSContext(
            .server,
            TLSOptions(
                mode: .require, certificateFile: certificates.path("server.crt"),
                keyFile: certificates.path("server.key")))
    }

    func client(_ versions: TLSVersions = .secure, authority: String = "ca.crt") throws -> TLSContext {
        try TLSContext(
            .client,
            TLSOptions(mode: .verifyFull, authorityFile: certificates.path(authority), versions: versions))
    }

    /// Two ends that have TLS between them. On the reactor's thread.
    private func pair(
        on reactor: Reactor, _ versions: TLSVersions = .secure, sendBuffer: Int32? = nil
    ) async throws -> (Transport, Transport) {
        let (near, far) = try transportPair(on: reactor, sendBuffer: sendBuffer)
        try near.startTLS(client(versions), host: "db.example.com")
        try far.startTLS(server)
        async let done: Void = far.finishHandshake()
        try await near.finishHandshake()
        try await done
        return (near, far)
    }

    @Test(.timeLimit(.minutes(1)), arguments: [TLSVersions.tls12, .tls13])
    func bytesGoBothWaysAndTheEndIsOrderly(versions: TLSVersions) async throws {
        try await onReactor { reactor in
            let (near, far) = try await pair(on: reactor, versions)
            #expect(near.session?.hasVerifiedPeer == true)
            #expect(near.session?.version == (versions == .tls12 ? "TLSv1.2" : "TLSv1.3"))
            try await near.send("question")
            #expect(try await far.receive(8) == "question")
            try await far.send("answer")
            #expect(try await near.receive(6) == "answer")
            let session = try #require(far.session)
            near.close()
            #expect(try await far.receive(.max) == "")
            #expect(!session.isTruncated, "the closing alert was not sent")
            far.close()
        }
    }

    // Seconds; minutes under ThreadSanitizer.
    @Test(.timeLimit(.minutes(5)), arguments: [(1, 60_000), (1021, 1_000_000), (65_536, 4_000_000)])
    func muchGoesBothWaysAtOnceAndASlowReaderHoldsTheWriterBack(_ readSize: Int, _ total: Int) async throws {
        try await onReactor { reactor in
            let (near, far) = try await pair(on: reactor, sendBuffer: 1)
            let (up, down) = (Duplex(near, total, readSize), Duplex(far, total, readSize))
            async let other: Void = down.run()
            try await up.run()
            try await other
            #expect(up.pauses > 0 && down.pauses > 0, "no writer was ever told to wait")
            #expect(up.received == .init(count: total, mismatches: 0))
            #expect(down.received == .init(count: total, mismatches: 0))
        }
    }

    @Test(.timeLimit(.minutes(1)), arguments: [TLSVersions.tls12, .tls13])
    func aHandshakeThatComesByteByByteIsTakenAsItComes(versions: TLSVersions) async throws {
        try await onReactor { reactor in
            let wire = try Wire(on: reactor)
            try wire.near.startTLS(client(versions), host: "db.example.com")
            try wire.far.startTLS(server)
            var steps = 0
            while true {
                let (near, far) = (try wire.near.handshake(), try wire.far.handshake())
                if near == .done, far == .done { break }
                try wire.passByte()
                steps += 1
                await reactor.nextTurn()
            }
            #expect(steps > 500, "the handshake was not cut")
            try await wire.near.send("secret")
            while try wire.passByte() {}
            var text = ""
            while text.utf8.count < 6 {
                await reactor.nextTurn()
                text += try wire.far.readText()
            }
            #expect(text == "secret")
            wire.close()
        }
    }

    @Test(.timeLimit(.minutes(1))) func anAlertIsHeardEvenIfAWriteWasTheFirstToFail() async throws {
        try await onReactor { reactor in
            let strict = try TLSContext(
                .server,
                TLSOptions(
                    mode: .verifyCA, certificateFile: certificates.path("server.crt"),
                    keyFile: certificates.path("server.key"), authorityFile: certificates.path("ca.crt")))
            let (near, far) = try transportPair(on: reactor)
            try near.startTLS(client(.tls13), host: "db.example.com")
            try far.startTLS(strict)
            // To the client the handshake is over before the server has looked at what it lacks.
            var isRefused = false
            while !isRefused {
                _ = try near.handshake()
                do { _ = try far.handshake() } catch { isRefused = true }
                await reactor.nextTurn()
            }
            far.close()
            #expect(near.carriesText)
            for _ in 0..<2 {
                let error = #expect(throws: SystemError.self) {
                    try Array("question".utf8).withUnsafeBytes { try near.write($0) }
                }
                #expect(error?.code == EPIPE)
            }
            near.expectBytes()
            let error = #expect(throws: SystemError.self) { try near.readText() }
            #expect(error?.isOfTLS == true && error?.operation.contains("certificate required") == true)
            near.close()
        }
    }

    @Test(.timeLimit(.minutes(1))) func aReadThatFillsItsBufferLeavesTheTransportReadable() async throws {
        try await onReactor { reactor in
            let (near, far) = try await pair(on: reactor)
            try await near.send("abcdef")
            let first = try await far.receive(4, by: 4)
            // All six came in one record: no event will tell of the rest.
            #expect(far.isReadable && !far.isQuiet())
            let rest = try far.readText()
            #expect((first, rest) == ("abcd", "ef"))
            #expect(try far.readText() == "" && !far.isReadable)
            #expect(far.isQuiet())
            near.close()
        }
    }

    @Test(.timeLimit(.minutes(1))) func whatAWorseThanSlowPeerSendsIsAnErrorAndNotAWait() async throws {
        try await onReactor { reactor in
            // No TLS at all.
            let (stranger, far) = try transportPair(on: reactor)
            try far.startTLS(server)
            try await stranger.send("Q\0\0\0\rSELECT 1\0 and more of it, long enough for a header")
            await #expect(throws: TLSError.self) { try await far.finishHandshake() }
            #expect(throws: SystemError.self) { try far.readText() }
            far.close()
            // Half a handshake, and then the end.
            let wire = try Wire(on: reactor)
            try wire.near.startTLS(client(), host: "db.example.com")
            try wire.far.startTLS(server)
            #expect(try wire.near.handshake() == .wantsMore)
            for _ in 0..<40 { try wire.passByte() }
            await reactor.nextTurn()
            #expect(try wire.far.handshake() == .wantsMore)
            wire.cut()
            await #expect(throws: TLSError.self) { try await wire.far.finishHandshake() }
            wire.close()
            // Garbage behind a good handshake.
            let broken = try Wire(on: reactor)
            try broken.near.startTLS(client(), host: "db.example.com")
            try broken.far.startTLS(server)
            while true {
                let (near, far) = (try broken.near.handshake(), try broken.far.handshake())
                if near == .done, far == .done { break }
                while try broken.passByte() {}
                await reactor.nextTurn()
            }
            broken.inject([23, 3, 3, 0, 32] + [UInt8](repeating: 7, count: 32))
            await reactor.nextTurn()
            #expect(throws: SystemError.self) { try broken.far.readText() }
            broken.close()
        }
    }

    @Test(.timeLimit(.minutes(1))) func aCertificateOfAnotherAuthorityIsRefused() async throws {
        try await onReactor { reactor in
            let (near, far) = try transportPair(on: reactor)
            try near.startTLS(client(authority: "other.crt"), host: "db.example.com")
            try far.startTLS(server)
            let refused = Task(executorPreference: reactor) { try await far.finishHandshake() }
            let error = await #expect(throws: TLSError.self) { try await near.finishHandshake() }
            #expect(error?.code == .verification)
            near.close()
            await #expect(throws: TLSError.self) { try await refused.value }
        }
    }

    @Test func bytesBehindTheRequestForEncryptionAreRefused() async throws {
        try await onReactor { reactor in
            let (near, far) = try transportPair(on: reactor)
            let error = #expect(throws: TLSError.self) { try far.startTLS(server, unread: 3) }
            #expect(error?.code == .handshake && far.session == nil)
            near.close()
            far.close()
        }
    }

    /// A peer that begins with the handshake: what it has said was read to find out.
    @Test(.timeLimit(.minutes(1)), arguments: [1, 5, 100, 100_000])
    func aHandshakeMayHaveBeenBegunToRead(_ size: Int) async throws {
        try await onReactor { reactor in
            let (near, far) = try transportPair(on: reactor)
            try near.startTLS(client(), host: "db.example.com")
            #expect(try near.handshake() == .wantsMore)
            #expect(near.carriesText == false)
            await reactor.nextTurn()
            var hello = [UInt8](repeating: 0, count: size)
            guard case .bytes(let count) = try hello.withUnsafeMutableBytes({ try far.read(into: $0) }) else {
                Issue.record("nothing came")
                return
            }
            try far.startTLS(server, hello: Array(hello[..<count]))
            async let done: Void = far.finishHandshake()
            try await near.finishHandshake()
            try await done
            #expect(near.carriesText && far.carriesText)
            try await near.send("question")
            #expect(try await far.receive(8) == "question")
            near.close()
            far.close()
        }
    }

    @Test(.timeLimit(.minutes(1))) func piecesArriveInTheirOrderHoweverTheyFallIntoRecords() async throws {
        try await onReactor { reactor in
            let (near, far) = try await pair(on: reactor)
            let sizes = [0, 1, 5, 8_191, 8_192, 8_193, 0, 16_384, 40_000, 3]
            let all = (0..<sizes.reduce(0, +)).map { UInt8($0 % 251) }
            var rest = 0
            all.withUnsafeBytes { bytes in
                var pieces: [UnsafeRawBufferPointer] = []
                for size in sizes {
                    pieces.append(UnsafeRawBufferPointer(rebasing: bytes[rest..<(rest + size)]))
                    rest += size
                }
                #expect((try? near.write(pieces)) == .bytes(all.count))
            }
            near.shutdownWriting()
            #expect(try await far.receiveCounting(by: 1000) == .init(count: all.count, mismatches: 0))
        }
    }

    @Test(.timeLimit(.minutes(2))) func aTransportTakesItsSessionToAnotherReactor() async throws {
        let group = try ReactorGroup(count: 2)
        defer { group.stop() }
        let (first, second) = (group.reactors[0], group.reactors[1])
        let (near, far) = try await Task(executorPreference: first) { try await pair(on: first) }.value
        for round in 0..<100 {
            let (source, target) = round % 2 == 0 ? (first, second) : (second, first)
            try await Task(executorPreference: source) { try await near.send("x\(round % 10)") }.value
            let text = try await Task(executorPreference: target) {
                try far.move(to: target, handler: nil)
                let text = try await far.receive(2)
                try near.move(to: target, handler: nil)
                return text
            }.value
            #expect(text == "x\(round % 10)")
        }
        await Task(executorPreference: first) {
            near.close()
            far.close()
        }.value
    }
}

extension Transport {
    fileprivate func finishHandshake() async throws(TLSError) {
        let waker = Waker()
        setHandler(waker)
        while try handshake() == .wantsMore { await waker.wait() }
        setHandler(nil)
    }

    fileprivate func readText(upTo size: Int = 100) throws -> String {
        var buffer = [UInt8](repeating: 0, count: size)
        guard case .bytes(let count) = try buffer.withUnsafeMutableBytes({ try read(into: $0) }) else {
            return ""
        }
        return String(decoding: buffer[..<count], as: UTF8.self)
    }
}

/// Sends and receives at once over one transport, as the two coroutines of one end cannot: they would share its handler.
private final class Duplex: @unchecked Sendable {
    private let transport: Transport
    private let bytes: [UInt8]
    private let readSize: Int
    private(set) var received = Transport.Received()
    private(set) var pauses = 0

    init(_ transport: Transport, _ total: Int, _ readSize: Int) {
        self.transport = transport
        self.readSize = readSize
        bytes = (0..<total).map { UInt8($0 % 251) }
    }

    func run() async throws {
        let waker = Waker()
        transport.setHandler(waker)
        var sent = 0
        var buffer = [UInt8](repeating: 0, count: readSize)
        while sent < bytes.count || received.count < bytes.count {
            var isStuck = true
            if sent < bytes.count, transport.isWritable {
                switch try bytes[sent...].withUnsafeBytes({ try transport.write($0) }) {
                case .bytes(let count): (sent, isStuck) = (sent + count, false)
                case .wouldBlock: pauses += 1
                }
            }
            if transport.isReadable, received.count < bytes.count {
                switch try buffer.withUnsafeMutableBytes({ try transport.read(into: $0) }) {
                case .bytes(let count):
                    isStuck = false
                    for byte in buffer[..<count] {
                        if byte != UInt8(received.count % 251) { received.mismatches += 1 }
                        received.count += 1
                    }
                case .wouldBlock: break
                case .end: return
                }
            }
            if isStuck { await waker.wait() } else { await transport.reactor.nextTurn() }
        }
        transport.setHandler(nil)
    }
}

/// Two transports with a man in the middle, who passes on what they send, byte by byte.
private final class Wire {
    let near: Transport
    let far: Transport
    private var ends: [Int32]

    init(on reactor: Reactor) throws {
        let pairs = [socketPair(), socketPair()]
        let peer = SocketAddress(.unix(path: ""))
        near = try Transport(adopting: pairs[0].0, peer: peer, on: reactor)
        far = try Transport(adopting: pairs[1].0, peer: peer, on: reactor)
        ends = [pairs[0].1, pairs[1].1]
    }

    /// Passes one byte each way; `false` when there was none.
    @discardableResult
    func passByte() throws -> Bool {
        var moved = false
        for (source, target) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            var byte: UInt8 = 0
            // It stays where it is while the other side has no room.
            guard recv(source, &byte, 1, Int32(MSG_PEEK)) == 1, write(target, &byte, 1) == 1 else { continue }
            try #require(read(source, &byte, 1) == 1)
            moved = true
        }
        return moved
    }

    /// Sends bytes of its own to the far end.
    func inject(_ bytes: [UInt8]) { #expect(write(ends[1], bytes, bytes.count) == bytes.count) }

    /// Hangs up on both.
    func cut() {
        for end in ends { Glibc.close(end) }
        ends = []
    }

    func close() {
        near.close()
        far.close()
        cut()
    }
}
