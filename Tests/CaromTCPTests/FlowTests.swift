// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Glibc
import Testing

@testable import CaromTCP

@Suite("Transports under pressure and at their end") struct FlowTests {
    // Seconds; minutes under ThreadSanitizer.
    @Test(.timeLimit(.minutes(5)), arguments: [1, 3, 1021, 65_536])
    func aSlowReaderHoldsTheWriterBackAndNoByteIsLost(readSize: Int) async throws {
        let total = readSize < 1000 ? 300_000 : 4_000_000
        let (pauses, wrong) = try await onReactor { reactor in
            let (a, b) = try transportPair(on: reactor)
            async let pauses = a.sendCounting(total)
            let wrong = try await b.receiveCounting(by: readSize)
            return (try await pauses, wrong)
        }
        #expect(pauses > 0, "the writer was never told to wait")
        #expect(wrong == .init(count: total, mismatches: 0))
    }

    @Test(.timeLimit(.minutes(1))) func aHalfClosedConnectionStillCarriesTheAnswer() async throws {
        let (question, answer, last) = try await onReactor { reactor in
            let (a, b) = try transportPair(on: reactor)
            try await a.send("question")
            a.shutdownWriting()
            let question = try await b.receive(.max)
            #expect(!b.isClosed && b.isHungUp)
            try await b.send("answer")
            let answer = try await a.receive(6)
            b.close()
            return (question, answer, try await a.receive(.max))
        }
        #expect((question, answer, last) == ("question", "answer", ""))
    }

    @Test(.timeLimit(.minutes(1))) func anAbortedConnectionIsAnErrorForItsPeer() async throws {
        let codes = try await onReactor { reactor in
            let listener = try Listener(on: SocketAddress(.ip("127.0.0.1", port: 0)), reactor: reactor)
            async let accepted = listener.accept()
            let client = try await Transport.connect(
                to: listener.address, on: reactor, deadline: .now + .seconds(5))
            let peer = try #require(try await accepted)
            let server = try Transport(adopting: peer.descriptor, peer: peer.peer, on: reactor)
            client.abort()
            client.abort()
            var codes: [Int32] = []
            do throws(SystemError) {
                _ = try await server.receiveTyped()
            } catch { codes.append(error.code) }
            do throws(SystemError) {
                _ = try withUnsafeBytes(of: UInt8(1)) { bytes throws(SystemError) in try server.write(bytes) }
            } catch { codes.append(error.code) }
            return codes
        }
        #expect(codes == [ECONNRESET, EPIPE])
    }

    @Test(.timeLimit(.minutes(1))) func closingTwiceAndReadingWhatIsLeftAreFine() async throws {
        let rest = try await onReactor { reactor in
            let (a, b) = try transportPair(on: reactor)
            try await a.send("left")
            a.close()
            a.close()
            #expect(a.isClosed)
            return try await b.receive(.max)
        }
        #expect(rest == "left")
    }
}

extension Transport {
    struct Received: Equatable, Sendable {
        var count = 0
        var mismatches = 0
    }

    /// Sends bytes that count from 0, modulo 251, and ends; says how often it had to wait.
    func sendCounting(_ total: Int) async throws -> Int {
        let bytes = (0..<total).map { UInt8($0 % 251) }
        let waker = Waker()
        setHandler(waker)
        var (sent, pauses) = (0, 0)
        while sent < total {
            switch try bytes.withUnsafeBytes({ try write(UnsafeRawBufferPointer(rebasing: $0[sent...])) }) {
            case .bytes(let count): sent += count
            case .wouldBlock:
                pauses += 1
                await waker.wait()
            }
        }
        shutdownWriting()
        return pauses
    }

    /// Reads to the end in pieces, and counts the bytes that are not what ``sendCounting(_:)`` sends.
    func receiveCounting(by size: Int) async throws -> Received {
        let waker = Waker()
        setHandler(waker)
        var buffer = [UInt8](repeating: 0, count: size)
        var received = Received()
        while true {
            switch try buffer.withUnsafeMutableBytes({ try read(into: $0) }) {
            case .bytes(let count):
                for byte in buffer[..<count] {
                    if byte != UInt8(received.count % 251) { received.mismatches += 1 }
                    received.count += 1
                }
            case .wouldBlock: await waker.wait()
            case .end: return received
            }
        }
    }

    /// Waits for the outcome of one read.
    func receiveTyped() async throws(SystemError) -> ReadOutcome {
        let waker = Waker()
        setHandler(waker)
        var byte: UInt8 = 0
        while true {
            let outcome = try withUnsafeMutableBytes(of: &byte) { raw throws(SystemError) in
                try read(into: raw)
            }
            if outcome != .wouldBlock { return outcome }
            await waker.wait()
        }
    }
}
