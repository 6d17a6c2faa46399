// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTestSupport
import Testing

@testable import CaromDNS

@Suite struct MessageTests {
    let question = DNSQuestion(name: name("_pg._tcp.example.com"), type: .srv)

    @Test func everySectionAndTypeIsParsed() throws {
        var writer = MessageWriter(
            question,
            [
                service(
                    "_pg._tcp.example.com", "db1.example.com", port: 5433, priority: 10, weight: 3, ttl: 7),
                alias("www.example.com", "db1.example.com"),
                DNSRecord(name: name("x"), ttl: 1, content: .other(99)),
            ])
        writer.authorities = [
            DNSRecord(name: name("example.com"), ttl: 9, content: .authority(minimum: 77)),
            DNSRecord(name: name("example.com"), ttl: 9, content: .delegation),
        ]
        writer.additionals = [
            address("db1.example.com", "192.0.2.1"), address("db1.example.com", "2001:db8::1"),
        ]
        let message = writer.message
        #expect(message.id == 0x1234)
        #expect(message.isResponse)
        #expect(!message.isTruncated)
        #expect(message.question?.name == question.name)
        #expect(message.answers == writer.answers)
        #expect(message.authorities == writer.authorities)
        #expect(message.additionals == writer.additionals)
    }

    @Test func compressedNamesAreFollowed() throws {
        var bytes = MessageWriter(question).bytes
        bytes[7] = 1
        // An A record for the "example.com" inside the question, which starts at 12 + 1 + 3 + 1 + 4.
        bytes += [0xc0, 21, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 192, 0, 2, 9]
        let message = try DNSMessage(parsing: bytes.span.bytes)
        #expect(message.answers == [address("example.com", "192.0.2.9", ttl: 5)])
    }

    @Test(
        arguments: [
            ([0xc0, 34], DNSMessageError.badPointer), ([0xc0, 200], .badPointer), ([0x40, 1], .badName),
            ([0x80, 1], .badName),
            ([63, 1], .tooShort), ([0xc0], .tooShort), ([], .tooShort), ([1], .tooShort),
        ] as [([UInt8], DNSMessageError)])
    func badNamesInMessagesAreErrors(bytes: [UInt8], expected: DNSMessageError) {
        var message = MessageWriter(DNSQuestion(name: name("a.example.com"), type: .a)).bytes
        message[7] = 1
        #expect(message.count == 31)
        message += [0, 0, 0]
        message.replaceSubrange(31..<34, with: bytes)
        #expect(throws: expected) { try DNSMessage(parsing: message.span.bytes) }
    }

    @Test func pointersThatGoRoundAreErrors() {
        var bytes = MessageWriter(DNSQuestion(name: name("a"), type: .a)).bytes
        bytes[7] = 1
        let start = UInt8(bytes.count)
        bytes += [1, 97, 0xc0, start, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0]
        #expect(throws: DNSMessageError.badPointer) { try DNSMessage(parsing: bytes.span.bytes) }
    }

    @Test func aLongChainOfPointersIsRefused() {
        // Each pointer leads to the one before: legal step by step, but no real name is made so.
        var bytes: [UInt8] = [0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        bytes += [0, 0, 99, 0, 1, 0, 0, 0, 0, 0x01, 0x90]
        var target = 12
        for _ in 0..<200 {
            let here = bytes.count
            bytes += [0xc0 | UInt8(target >> 8), UInt8(target & 255)]
            target = here
        }
        bytes[11] = 2
        bytes += [0xc0 | UInt8(target >> 8), UInt8(target & 255), 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 1, 2, 3, 4]
        #expect(throws: DNSMessageError.badPointer) { try DNSMessage(parsing: bytes.span.bytes) }
    }

    @Test func everyTruncationIsAnErrorAndNeverATrap() {
        var writer = MessageWriter(question, [service("_pg._tcp.example.com", "db1.example.com")])
        writer.additionals = [address("db1.example.com", "2001:db8::1")]
        let bytes = writer.bytes
        for count in 0..<bytes.count {
            let part = Array(bytes.prefix(count))
            #expect(throws: DNSMessageError.self) { try DNSMessage(parsing: part.span.bytes) }
        }
    }

    @Test func aTimeToLiveWithTheHighestBitCountsAsZero() throws {
        let message = MessageWriter(question, [service("_pg._tcp.example.com", "a", ttl: 0x8000_0001)])
            .message
        #expect(message.answers[0].ttl == 0)
    }

    @Test func fiftyThousandMutationsNeverTrap() {
        var writer = MessageWriter(
            question, [service("_pg._tcp.example.com", "db1.example.com"), alias("a.b", "c.d")])
        writer.authorities = [DNSRecord(name: name("example.com"), ttl: 9, content: .authority(minimum: 77))]
        writer.additionals = [
            address("db1.example.com", "192.0.2.1"), address("db1.example.com", "2001:db8::1"),
        ]
        var random = SeededRandom.printed(for: "the message mutations")
        var outcomes = (parsed: 0, refused: 0)
        for _ in 0..<50_000 {
            var bytes = writer.bytes
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let index = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<4, using: &random) {
                case 0: bytes[index] = UInt8.random(in: 0 ... .max, using: &random)
                case 1: bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
                case 2: bytes.insert(0xc0, at: index)
                default: bytes.remove(at: index)
                }
            }
            do throws(DNSMessageError) {
                let message = try DNSMessage(parsing: bytes.span.bytes)
                _ = message.finding(for: question)
                outcomes.parsed += 1
            } catch {
                outcomes.refused += 1
            }
        }
        #expect(outcomes.parsed > 0)
        #expect(outcomes.refused > 0)
    }
}
