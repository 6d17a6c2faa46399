// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

/// One message as a relay would see it after putting the pieces together.
private struct Seen: Equatable {
    var tag: UInt8
    var bytes: [UInt8]
}

/// Feeds a stream in chunks cut at `cuts`, keeps what the walker says to keep, and glues streamed messages
/// together.
private func walk(_ stream: [UInt8], cuts: [Int], limits: FrameLimits) -> (
    seen: [Seen], error: WireError?, kept: Int
) {
    var walker = FrameWalker()
    var seen: [Seen] = []
    var kept: [UInt8] = []
    var mostKept = 0
    let borders = [0] + cuts + [stream.count]
    for (start, end) in zip(borders, borders.dropFirst()) where start < end {
        let chunk = kept + stream[start..<end]
        kept = []
        var position = 0
        events: while true {
            switch walker.next(in: chunk.span.bytes, at: &position, limits: limits) {
            case .message(let tag, let range):
                seen.append(Seen(tag: tag, bytes: Array(chunk[range])))
            case .run(let tag, let range, let count):
                var place = range.lowerBound
                for _ in 0..<count {
                    guard case .frame(let header) = Framing.next(in: chunk.span.bytes, at: place) else {
                        Issue.record("a run holds whole messages")
                        break
                    }
                    seen.append(Seen(tag: tag, bytes: Array(chunk[place..<(place + header.length)])))
                    place += header.length
                }
                #expect(place == range.upperBound)
            case .beginning(let tag, let range, let length):
                #expect(length > range.count)
                seen.append(Seen(tag: tag, bytes: Array(chunk[range])))
            case .continuation(let tag, let range, _):
                #expect(seen.last?.tag == tag)
                seen[seen.count - 1].bytes += chunk[range]
            case .incomplete(let range, let length):
                #expect(range.upperBound == chunk.count && length > range.count)
                kept = Array(chunk[range])
                mostKept = max(mostKept, kept.count)
                break events
            case .end:
                #expect(position == chunk.count)
                break events
            case .invalid(let error):
                return (seen, error, mostKept)
            }
        }
    }
    return (seen, nil, mostKept)
}

private func session(_ random: inout SeededRandom) -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<Int.random(in: 1...30, using: &random) {
        switch Int.random(in: 0...6, using: &random) {
        case 0: ReadyForQuery(status: .idle).encode(into: &bytes)
        case 1: BackendTag.parseComplete.encodeEmpty(into: &bytes)
        case 2: CommandComplete(tag: "SELECT 1").encode(into: &bytes)
        case 3:
            let fields = ErrorFields(severity: .error, code: .syntaxError, message: "no")
            fields.encode(into: &bytes)
        case 4:
            CopyData.encode(
                [UInt8](repeating: 7, count: Int.random(in: 0...300, using: &random)), into: &bytes)
        default:
            for _ in 0..<Int.random(in: 1...9, using: &random) {
                let size = Int.random(in: 0...60, using: &random)
                DataRow(values: [[UInt8](repeating: 0x44, count: size), nil]).encode(into: &bytes)
            }
        }
    }
    return bytes
}

@Suite struct FrameWalkerTests {
    private let limits = FrameLimits.server()

    @Test func neighbouringRowsAreOneRun() {
        let row = encoded { DataRow(texts: ["a", nil]).encode(into: &$0) }
        let done = message("C", utf8("SELECT 3\0"))
        let chunk = row + row + row + done
        var walker = FrameWalker()
        var position = 0
        let size = row.count
        #expect(
            walker.next(in: chunk.span.bytes, at: &position, limits: limits)
                == .run(tag: 0x44, 0..<(3 * size), count: 3))
        #expect(
            walker.next(in: chunk.span.bytes, at: &position, limits: limits)
                == .message(tag: 0x43, (3 * size)..<chunk.count))
        #expect(walker.next(in: chunk.span.bytes, at: &position, limits: limits) == .end)
    }

    @Test func aLongRowIsHandedOutInPiecesAndNothingIsKept() {
        let row = message("D", [UInt8](repeating: 1, count: 1000))
        var walker = FrameWalker()
        var position = 0
        let first = Array(row[..<10])
        #expect(
            walker.next(in: first.span.bytes, at: &position, limits: limits)
                == .beginning(tag: 0x44, 0..<10, length: 1005))
        #expect(walker.outstanding == 995 && !walker.isAtBorder)
        position = 0
        let second = Array(row[10...]) + message("Z", [0x49])
        #expect(
            walker.next(in: second.span.bytes, at: &position, limits: limits)
                == .continuation(tag: 0x44, 0..<995, isLast: true))
        #expect(
            walker.next(in: second.span.bytes, at: &position, limits: limits)
                == .message(tag: 0x5a, 995..<1001))
        #expect(walker.isAtBorder)
    }

    @Test func aSmallMessageIsKeptUntilItIsWhole() {
        let ready = message("Z", [0x49])
        for count in 1..<6 {
            var walker = FrameWalker()
            var position = 0
            let chunk = Array(ready[..<count])
            #expect(
                walker.next(in: chunk.span.bytes, at: &position, limits: limits)
                    == .incomplete(0..<count, length: count < 5 ? 5 : 6))
        }
    }

    @Test func anErrorTooLongToKeepStreams() {
        let long = message("E", utf8("M") + [UInt8](repeating: 0x78, count: 5000) + [0, 0])
        let strict = FrameLimits.server(heldLimit: 1000)
        let (seen, error, kept) = walk(long, cuts: [100, 3000], limits: strict)
        #expect(error == nil && kept == 0)
        #expect(seen == [Seen(tag: 0x45, bytes: long)])
        let held = walk(long, cuts: [100, 3000], limits: limits)
        #expect(held.seen == seen && held.kept == 3000)
    }

    @Test(arguments: [
        (utf8("!") + [0, 0, 0, 4], WireError.unknownTag(0x21)),
        ([0xff, 0, 0, 0, 4], .unknownTag(0xff)),
        (utf8("Z") + [0, 0, 0, 3], .lengthTooSmall(3)),
        (utf8("Z") + [0, 0, 0x75, 0x31], .lengthTooLarge(30_001, limit: 30_000)),
        (utf8("D") + [0x7f, 0xff, 0xff, 0xff], .lengthTooLarge(0x7fff_ffff, limit: 0x3fff_ffff)),
        (utf8("D") + [0xff, 0xff, 0xff, 0xff], .lengthTooLarge(0xffff_ffff, limit: 0x3fff_ffff)),
    ])
    func whatIsNoMessageEndsTheStream(_ bytes: [UInt8], _ error: WireError) {
        #expect(walk(bytes, cuts: [], limits: limits).error == error)
        // The same behind rows, where the fast loop meets it first.
        let row = encoded { DataRow(texts: ["a"]).encode(into: &$0) }
        let after = walk(row + row + bytes, cuts: [], limits: limits)
        #expect(after.error == error && after.seen.count == 2)
    }

    @Test(arguments: 1...200)
    func chunksDoNotMatter(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        let stream = session(&random)
        let whole = walk(stream, cuts: [], limits: limits)
        #expect(whole.error == nil && whole.seen.flatMap(\.bytes) == stream, "seed \(seed)")
        let single = walk(stream, cuts: Array(1..<stream.count), limits: limits)
        #expect(single.seen == whole.seen, "seed \(seed), byte by byte")
        for _ in 0..<5 {
            let cuts = (0..<Int.random(in: 1...20, using: &random))
                .map { _ in Int.random(in: 0...stream.count, using: &random) }.sorted()
            #expect(walk(stream, cuts: cuts, limits: limits).seen == whole.seen, "seed \(seed), cuts \(cuts)")
        }
    }

    @Test(arguments: 1...300)
    func brokenStreamsNeitherTrapNorHoard(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed) &* 7919)
        var stream = session(&random)
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            stream[Int.random(in: 0..<stream.count, using: &random)] = UInt8.random(
                in: 0...255, using: &random)
        }
        let cuts = (0..<10).map { _ in Int.random(in: 0...stream.count, using: &random) }.sorted()
        let small = FrameLimits.server(heldLimit: 64)
        let whole = walk(stream, cuts: [], limits: small)
        let cut = walk(stream, cuts: cuts, limits: small)
        #expect(cut.seen == whole.seen && cut.error == whole.error, "seed \(seed), cuts \(cuts)")
        #expect(cut.kept <= small.smallLimit)
    }

    @Test func clientRulesKeepWhatTheyAreToldTo() {
        let parse = encoded { Parse(name: "s", query: "select 1").encode(into: &$0) }
        #expect(walk(parse, cuts: [8], limits: .client()).kept == 0)
        #expect(walk(parse, cuts: [8], limits: .client(holding: [.parse, .bind])).kept == 8)
        let long = utf8("S") + [0, 0, 0x27, 0x11]
        #expect(
            walk(long, cuts: [], limits: .client()).error == .lengthTooLarge(10_001, limit: 10_000))
    }
}
