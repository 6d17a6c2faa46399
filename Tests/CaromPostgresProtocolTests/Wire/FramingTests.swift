// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@Suite struct FramingTests {
    @Test func aHeaderNeedsFiveBytes() {
        let sync = message("S")
        for count in 0..<5 {
            #expect(Framing.next(in: Array(sync.prefix(count)).span.bytes) == .needMore)
        }
        #expect(Framing.next(in: sync.span.bytes) == .frame(FrameHeader(tag: 0x53, length: 5)))
    }

    @Test(arguments: [
        (UInt32(0), WireError.lengthTooSmall(0)), (3, .lengthTooSmall(3)),
        (0x7fff_ffff, .lengthTooLarge(0x7fff_ffff, limit: 0x3fff_ffff)),
        (0x8000_0000, .lengthTooLarge(0x8000_0000, limit: 0x3fff_ffff)),
        (0xffff_ffff, .lengthTooLarge(0xffff_ffff, limit: 0x3fff_ffff)),
    ])
    func aHostileLengthIsRefused(_ length: UInt32, _ error: WireError) {
        var bytes: [UInt8] = [0x51]
        bytes.append32(length)
        #expect(Framing.next(in: bytes.span.bytes) == .invalid(error))
    }

    @Test func theLimitItselfIsAllowed() {
        var bytes: [UInt8] = [0x51]
        bytes.append32(100)
        #expect(
            Framing.next(in: bytes.span.bytes, limit: 100) == .frame(FrameHeader(tag: 0x51, length: 101)))
        #expect(
            Framing.next(in: bytes.span.bytes, limit: 99)
                == .invalid(.lengthTooLarge(100, limit: 99)))
    }

    @Test func aStartupPacketIsAsLongAsItSays() {
        let packet = encoded { StartupMessage(user: "ada").encode(into: &$0) }
        for count in 0..<packet.count {
            let step = Framing.startupPacket(in: Array(packet.prefix(count)).span.bytes)
            #expect(step == .needMore(count < 4 ? 8 : packet.count))
        }
        #expect(
            Framing.startupPacket(in: (packet + [1, 2, 3]).span.bytes) == .packet(length: packet.count))
    }

    @Test(arguments: [
        (UInt32(0), WireError.lengthTooSmall(0)), (4, .lengthTooSmall(4)), (7, .lengthTooSmall(7)),
        (10_001, .lengthTooLarge(10_001, limit: 10_000)),
        (0xffff_ffff, .lengthTooLarge(0xffff_ffff, limit: 10_000)),
    ])
    func aStartupPacketOfHostileLengthIsRefused(_ length: UInt32, _ error: WireError) {
        #expect(Framing.startupPacket(in: encoded { $0.append32(length) }.span.bytes) == .invalid(error))
    }

    @Test func directTLSIsSeenInTheFirstByte() {
        let hello: [UInt8] = [0x16, 0x03, 0x01]
        #expect(Framing.startupPacket(in: hello.span.bytes) == .directTLS)
    }
}

@Suite struct TagSetTests {
    @Test func aSetHoldsExactlyWhatWasPutIn() {
        let set = TagSet(FrontendTag.allCases)
        for byte in UInt8.min...UInt8.max {
            #expect(set.contains(byte) == (FrontendTag(rawValue: byte) != nil), "\(byte)")
        }
        var odd = TagSet()
        odd.insert(200)
        #expect(odd == TagSet())
        #expect(TagSet([.query]).union(TagSet([.sync])) == TagSet([.query, .sync]))
    }
}
