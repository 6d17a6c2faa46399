// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromLinux
import CaromReactor
import CaromTestSupport
import Glibc
import Testing

@testable import CaromTCP

@Suite struct WritabilityTests {
    @Test(.timeLimit(.minutes(1))) func aNewTransportCanBeWrittenToAtOnce() async throws {
        try await onReactor { reactor in
            let (a, _) = try transportPair(on: reactor)
            #expect(a.isWritable && !a.isReadable && !a.isHungUp)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aPeerThatReadsDoesNotWakeTheLoopOverAUnixSocket() async throws {
        let (woken, idle) = try await onReactor { reactor in
            let ends = socketPair()
            let pair = [ends.0, ends.1]
            let far = pair[1]
            defer { Glibc.close(far) }
            let near = try Transport(adopting: pair[0], peer: SocketAddress(.unix(path: "")), on: reactor)
            let calls = Counting()
            near.setHandler(calls)
            // With nothing waiting to be written, what the far end reads is no news.
            for _ in 0..<100 {
                try await near.send("some bytes")
                _ = await reactor.sleep(for: .zero)
                #expect(drain(far) == 10)
                _ = await reactor.sleep(for: .zero)
            }
            let idle = calls.count
            // After a write that was not taken whole it is.
            let block = [UInt8](repeating: 1, count: 1 << 20)
            guard case .bytes(let taken) = try block.withUnsafeBytes({ try near.write($0) }) else {
                return (0, idle)
            }
            #expect(taken < block.count && !near.isWritable)
            while drain(far) > 0 {}
            while !near.isWritable { await reactor.nextTurn() }
            let woken = calls.count - idle
            // And not any more once a write was.
            try await near.send("rest")
            let before = calls.count
            #expect(drain(far) == 4)
            for _ in 0..<3 { await reactor.nextTurn() }
            #expect(calls.count == before)
            return (woken, idle)
        }
        #expect(woken > 0)
        #expect(idle == 0)
    }

    /// Pieces of every size, cut by the socket's buffer at every place: what was taken is what the peer gets, in order.
    @Test(.timeLimit(.minutes(5)), arguments: [1, 2, 3, 7, 1024, 1025, 3000])
    func piecesThatAreNotTakenWholeAreContinuedInTheirOrder(count: Int) async throws {
        let isSame = try await onReactor { reactor in
            var same = true
            for round in 0..<40 {
                let (a, b) = try transportPair(on: reactor, sendBuffer: 1)
                // Fill it to a different level each time, so that the cut falls elsewhere.
                let filler = [UInt8](repeating: 9, count: round * 53 % 1500)
                var sent = filler
                var received: [UInt8] = []
                if !filler.isEmpty {
                    #expect(try filler.withUnsafeBytes { try a.write($0) } == .bytes(filler.count))
                }
                let pieces = (0..<count).map { index in
                    [UInt8](
                        repeating: UInt8(truncatingIfNeeded: index),
                        count: (index + round) % 5 * (9000 / count))
                }
                let all = Array(pieces.joined())
                sent += all
                var rest = all[...]
                let first = try withPieces(pieces) { try a.write($0) }
                if case .bytes(let taken) = first { rest = rest.dropFirst(taken) }
                #expect(rest.isEmpty || !a.isWritable || count > 1024)
                while received.count < sent.count {
                    received += try b.readAvailable()
                    if !rest.isEmpty, a.isWritable {
                        let outcome = try rest.withUnsafeBytes { try a.write($0) }
                        if case .bytes(let taken) = outcome { rest = rest.dropFirst(taken) }
                    }
                    await reactor.nextTurn()
                }
                if received != sent { same = false }
                a.close()
                b.close()
            }
            return same
        }
        #expect(isSame)
    }

    @Test(.timeLimit(.minutes(1))) func nothingInPiecesIsWrittenAtOnce() async throws {
        try await onReactor { reactor in
            let (a, b) = try transportPair(on: reactor)
            defer { b.close() }
            #expect(try a.write([]) == .bytes(0))
            #expect(try a.write([UnsafeRawBufferPointer(start: nil, count: 0)]) == .bytes(0))
            #expect(a.isWritable)
        }
    }

    @Test(.timeLimit(.minutes(1))) func anExpectedReadIsTriedBeforeTheLoopHasSeenTheSocket() async throws {
        try await onReactor { reactor in
            let (a, b) = try transportPair(on: reactor)
            try await a.send("early")
            #expect(try b.readAvailable() == [])
            b.expectBytes()
            #expect(try b.readAvailable() == Array("early".utf8))
            #expect(!b.isReadable)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aClosedTransportIsNobodyElses() async throws {
        try await onReactor { reactor in
            let (a, b) = try transportPair(on: reactor)
            a.close()
            let (c, _) = try transportPair(on: reactor)
            a.setHandler(Counting())
            a.expectBytes()
            #expect(!c.hasHandler && !c.isReadable && !a.hasHandler)
            #expect(a.isHungUp && !c.isHungUp && !b.isHungUp)
            #expect(throws: SystemError.self) { try a.readAvailable() }
        }
    }

    @Test(.timeLimit(.minutes(2))) func transportsMoveWhileEventsAreUnderWay() async throws {
        let group = try ReactorGroup(count: 2)
        defer { group.stop() }
        let reactors = group.reactors
        let (a, b) = try await Task(executorPreference: reactors[0]) { try transportPair(on: reactors[0]) }
            .value
        let rounds = 500
        let sending = Task(executorPreference: reactors[0]) {
            for round in 0..<rounds {
                let text = Array("\(round % 10)".utf8)
                while try text.withUnsafeBytes({ try a.write($0) }) == .wouldBlock {
                    await reactors[0].nextTurn()
                }
                if round % 7 == 0 { await reactors[0].nextTurn() }
            }
        }
        var text = ""
        while text.utf8.count < rounds {
            let reactor = reactors[text.utf8.count % 2]
            text += try await Task(executorPreference: reactor) {
                let waker = Waker()
                try b.move(to: reactor, handler: waker)
                while true {
                    let bytes = try b.readAvailable(upTo: 3)
                    // The handler stays behind: it is called in vain or not at all.
                    if !bytes.isEmpty { return String(decoding: bytes, as: UTF8.self) }
                    await waker.wait()
                }
            }.value
        }
        try await sending.value
        #expect(text == (0..<rounds).map { "\($0 % 10)" }.joined())
        let last = b.reactor
        await Task(executorPreference: last) { b.close() }.value
        await Task(executorPreference: reactors[0]) { a.close() }.value
    }

    @Test(.timeLimit(.minutes(1))) func aListenerCanWaitForTheCallersFirstBytes() async throws {
        let text = try await onReactor { reactor in
            let listener = try Listener(
                on: SocketAddress(.ip("127.0.0.1", port: 0)), deferAccept: .seconds(20), reactor: reactor)
            let caller = try await Transport.connect(to: listener.address, on: reactor)
            let accepting = Task(executorPreference: reactor) { try await listener.accept() }
            try await caller.send("hello")
            let accepted = try #require(try await accepting.value)
            let server = try Transport(adopting: accepted.descriptor, peer: accepted.peer, on: reactor)
            server.expectBytes()
            // The bytes were there before the connection was.
            return String(decoding: try server.readAvailable(), as: UTF8.self)
        }
        #expect(text == "hello")
    }
}

@Suite struct FootprintTests {
    /// What a connection costs below its session, and there are many.
    @Test func aConnectionTakesLessThanAQuarterOfAKilobyte() async throws {
        let size = try await onReactor { reactor in
            let (a, _) = try transportPair(on: reactor)
            let object = malloc_usable_size(Unmanaged.passUnretained(a).toOpaque())
            return object + MemoryLayout<Registration.Entry>.stride
        }
        #expect(size <= 256)
    }
}

final class Counting: EventHandler {
    var count = 0
    func handle(_ token: Int) { count += 1 }
}

/// Reads what is there, by the system's call, and says how much it was.
private func drain(_ descriptor: Int32) -> Int {
    withUnsafeTemporaryAllocation(byteCount: 65_536, alignment: 1) {
        max(0, read(descriptor, $0.baseAddress, 65_536))
    }
}

private func withPieces<R>(_ pieces: [[UInt8]], _ body: ([UnsafeRawBufferPointer]) throws -> R) rethrows -> R
{
    let copies = pieces.map { piece in
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: piece.count, alignment: 1)
        copy.copyBytes(from: piece)
        return copy
    }
    defer { for copy in copies { copy.deallocate() } }
    return try body(copies.map { UnsafeRawBufferPointer($0) })
}

extension Transport {
    fileprivate func readAvailable(upTo size: Int = 4096) throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: size)
        guard case .bytes(let count) = try buffer.withUnsafeMutableBytes({ try read(into: $0) }) else {
            return []
        }
        return Array(buffer[..<count])
    }
}
