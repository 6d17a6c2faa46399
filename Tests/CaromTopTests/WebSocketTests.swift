// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTestSupport
import Testing

@testable import CaromTop

@Suite struct WebSocketTests {
    /// Messages and how they look on the wire.
    static let wire: [UInt8] =
        [0x82, 2, 1, 2] + [0x01, 1, 65] + [0x89, 1, 9] + [0x00, 0] + [0x80, 1, 66] + [0x8A, 0]
        + [0x82, 126, 1, 0] + [UInt8](repeating: 7, count: 256) + [0x88, 2, 3, 0xE8]
    static let messages: [WebSocketMessages.Message] = [
        .data([1, 2]), .ping([9]), .data([65, 66]), .data([UInt8](repeating: 7, count: 256)), .close,
    ]

    @Test(arguments: [1, 2, 3, 7, 100, 1000]) func messagesArriveWholeHoweverTheyAreCut(_ size: Int) throws {
        var parser = WebSocketMessages()
        var found: [WebSocketMessages.Message] = []
        for start in stride(from: 0, to: Self.wire.count, by: size) {
            parser.append(Self.wire[start..<min(start + size, Self.wire.count)])
            while let message = try parser.next() { found.append(message) }
        }
        #expect(found == Self.messages)
    }

    @Test(
        arguments: [
            ("a reserved bit", [0xC2, 0]), ("a mask", [0x82, 0x80, 0, 0, 0, 0]),
            ("an unknown type", [0x83, 0]),
            ("a long ping", [0x89, 126, 0, 200]), ("a ping in pieces", [0x09, 0]),
            ("a continuation of nothing", [0x80, 0]), ("a message inside another", [0x01, 0, 0x81, 0]),
            ("eight exabytes", [0x82, 127, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
            ("more than that", [0x82, 127, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]),
        ] as [(String, [UInt8])])
    func whatAServerMustNotSendIsAnError(_ what: String, _ bytes: [UInt8]) {
        var parser = WebSocketMessages()
        parser.append(bytes)
        #expect(throws: StatsClientError.self, "\(what)") {
            while try parser.next() != nil {}
        }
    }

    @Test func randomBytesEndInMessagesOrAnErrorButNeverInATrap() {
        var random = SeededRandom.printed(for: "the WebSocket mutations")
        for _ in 0..<2000 {
            var bytes = Self.wire
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = .random(in: 0 ... .max, using: &random)
            }
            var parser = WebSocketMessages()
            parser.append(bytes)
            var payload = 0
            do throws(StatsClientError) {
                while let message = try parser.next() {
                    if case .data(let data) = message { payload += data.count }
                }
            } catch {
                #expect(!error.description.isEmpty)
            }
            #expect(payload <= bytes.count)
        }
    }

    @Test func aClientMasksWhatItSends() {
        // The masked "Hello" of RFC 6455 §5.7.
        #expect(
            WebSocketMessages.frame(opcode: 0x1, payload: Array("Hello".utf8), mask: 0x37FA_213D)
                == [0x81, 0x85, 0x37, 0xFA, 0x21, 0x3D, 0x7F, 0x9F, 0x4D, 0x51, 0x58])
    }

    @Test func theHandshakeIsTheOneOfTheStandard() throws {
        let handshake = WebSocketHandshake(
            try StatsURL("http://h:1/x"), nonce: Array("the sample nonce".utf8))
        let request = String(decoding: handshake.request, as: UTF8.self)
        #expect(request.hasPrefix("GET /x HTTP/1.1\r\nHost: h:1\r\n"))
        #expect(request.contains("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"))
        #expect(request.hasSuffix("\r\n\r\n"))
        let answer = Array(
            "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
                .utf8)
        for count in 0..<answer.count { #expect(try handshake.accepted(Array(answer[..<count])) == nil) }
        #expect(try handshake.accepted(answer + [1, 2]) == answer.count)
    }

    @Test(arguments: [
        "HTTP/1.1 404 Not Found\r\n\r\n", "HTTP/1.1 101 Yes\r\n\r\n", "220 mail.example.com\r\n\r\n",
        "\r\n\r\n",
        "HTTP/1.1 101 Yes\r\nSec-WebSocket-Accept: AAAA\r\n\r\n", String(repeating: "x", count: 20_000),
    ])
    func anAnswerThatDoesNotAcceptIsAnError(_ answer: String) throws {
        let handshake = WebSocketHandshake(try StatsURL("http://h:1/"))
        #expect(throws: StatsClientError.self) { try handshake.accepted(Array(answer.utf8)) }
    }
}
