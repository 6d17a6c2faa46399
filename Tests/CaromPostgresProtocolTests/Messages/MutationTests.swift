// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

/// Every decoder, fed with the body of one message.
private let decoders: [(name: String, decode: @Sendable (RawSpan) -> Void)] = [
    ("AuthenticationRequest", { _ = try? AuthenticationRequest(body: $0) }),
    ("BackendKeyData", { _ = try? BackendKeyData(body: $0) }), ("Bind", { _ = try? Bind(body: $0) }),
    ("Bind.Names", { _ = try? Bind.Names(body: $0) }),
    ("CommandComplete", { _ = try? CommandComplete(body: $0) }),
    ("CopyFail", { _ = try? CopyFail(body: $0) }), ("CopyResponse", { _ = try? CopyResponse(body: $0) }),
    ("DataRow", { _ = try? DataRow(body: $0) }), ("ErrorFields", { _ = ErrorFields(body: $0).description }),
    ("Execute", { _ = try? Execute(body: $0) }), ("FunctionCall", { _ = try? FunctionCall(body: $0) }),
    ("FunctionCallResponse", { _ = try? FunctionCallResponse(body: $0) }),
    ("NamedObject", { _ = try? NamedObject(body: $0) }),
    ("NegotiateProtocolVersion", { _ = try? NegotiateProtocolVersion(body: $0) }),
    ("NotificationResponse", { _ = try? NotificationResponse(body: $0) }),
    ("ParameterDescription", { _ = try? ParameterDescription(body: $0) }),
    ("ParameterStatus", { _ = try? ParameterStatus(body: $0) }), ("Parse", { _ = try? Parse(body: $0) }),
    ("PasswordMessage", { _ = try? PasswordMessage(body: $0) }), ("Query", { _ = try? Query(body: $0) }),
    ("ReadyForQuery", { _ = try? ReadyForQuery(body: $0) }),
    ("RowDescription", { _ = try? RowDescription(body: $0) }),
    ("SASLInitialResponse", { _ = try? SASLInitialResponse(body: $0) }),
    ("StartupPacket", { _ = try? StartupPacket.decode($0) }),
    (
        "PostgresValue",
        { bytes in
            for format in [ValueFormat.text, .binary] {
                _ = PostgresValue.bool(bytes, format: format)
                _ = PostgresValue.integer(bytes, format: format)
                _ = PostgresValue.double(bytes, format: format)
                _ = PostgresValue.bytea(bytes, format: format)
                _ = PostgresValue.uuid(bytes, format: format)
            }
        }
    ),
]

private let seeds: [[UInt8]] = [
    [], [0],
    body(encoded { Parse(name: "s", query: "select $1", parameterTypes: [23, 25]).encode(into: &$0) }),
    body(
        encoded {
            Bind(
                portal: [0x70], statement: [0x73], parameterFormats: [.binary], parameters: [[1], nil],
                resultFormats: [.text]
            )
            .encode(into: &$0)
        }),
    body(
        encoded { RowDescription(columns: [.init("a", type: 23), .init("b", type: 25)]).encode(into: &$0) }),
    body(encoded { DataRow(texts: ["a", nil, "c"]).encode(into: &$0) }),
    body(
        encoded {
            ErrorFields(severity: .error, code: .syntaxError, message: "m", hint: "h").encode(into: &$0)
        }),
    body(encoded { AuthenticationRequest.sasl(mechanisms: ["A", "B"]).encode(into: &$0) }),
    body(encoded { SASLInitialResponse(mechanism: "S", data: [1, 2, 3]).encode(into: &$0) }),
    body(encoded { NegotiateProtocolVersion(version: .v3_0, unrecognised: ["_pq_.a"]).encode(into: &$0) }),
    body(encoded { FunctionCall(function: 1, arguments: [[1], nil]).encode(into: &$0) }),
    encoded { StartupMessage(user: "u", parameters: [.init("a", "b")]).encode(into: &$0) },
]

private let hostileWords: [UInt32] = [
    0, 1, 3, 4, 5, 0x7fff, 0x8000, 0xffff, 0x7fff_fffe, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff,
]

@Suite struct MutationTests {
    @Test func everyPrefixOfEveryMessageIsReadWithoutATrap() {
        for seed in seeds {
            for count in 0...seed.count {
                let bytes = Array(seed[..<count])
                for (_, decode) in decoders { decode(bytes.span.bytes) }
            }
        }
    }

    @Test func hostileLengthsAnywhereAreReadWithoutATrap() {
        for seed in seeds {
            for place in seed.indices {
                for word in hostileWords {
                    var bytes = seed
                    let raw = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
                    for (offset, byte) in raw.enumerated() where place + offset < bytes.count {
                        bytes[place + offset] = byte
                    }
                    for (_, decode) in decoders { decode(bytes.span.bytes) }
                    var short = seed
                    for (offset, byte) in raw.suffix(2).enumerated() where place + offset < short.count {
                        short[place + offset] = byte
                    }
                    for (_, decode) in decoders { decode(short.span.bytes) }
                }
            }
        }
    }

    @Test(arguments: 1...200)
    func randomBytesAreReadWithoutATrap(_ seed: Int) {
        var random = SeededRandom(seed: UInt64(seed))
        var bytes = seeds.randomElement(using: &random)!
        for _ in 0..<Int.random(in: 0...8, using: &random) where !bytes.isEmpty {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        }
        for _ in 0..<Int.random(in: 0...8, using: &random) {
            bytes.append(UInt8.random(in: 0...255, using: &random))
        }
        for (_, decode) in decoders { decode(bytes.span.bytes) }
    }

    /// A count that lies must be refused before anything is reserved for it.
    @Test func aLyingCountIsTruncated() {
        let many: [UInt8] = [0xff, 0xff]
        #expect(throws: WireError.truncated) { try DataRow(body: many.span.bytes) }
        #expect(throws: WireError.truncated) { try RowDescription(body: many.span.bytes) }
        #expect(throws: WireError.truncated) { try ParameterDescription(body: many.span.bytes) }
        #expect(throws: WireError.truncated) { try Parse(body: (utf8("\0\0") + many).span.bytes) }
        #expect(throws: WireError.truncated) { try Bind(body: (utf8("\0\0\0\0") + many).span.bytes) }
        let names: [UInt8] = [0, 3, 0, 0, 0x7f, 0xff, 0xff, 0xff]
        #expect(throws: WireError.invalidCount(0x7fff_ffff)) {
            try NegotiateProtocolVersion(body: names.span.bytes)
        }
        let row: [UInt8] = [0, 1, 0x7f, 0xff, 0xff, 0xff]
        #expect(throws: WireError.truncated) { try DataRow(body: row.span.bytes) }
        let negative: [UInt8] = [0, 1, 0xff, 0xff, 0xff, 0xfe]
        #expect(throws: WireError.invalidCount(-2)) { try DataRow(body: negative.span.bytes) }
        let shortKey: [UInt8] = [0, 0, 0, 1, 1, 2, 3]
        #expect(throws: WireError.invalidCount(3)) { try BackendKeyData(body: shortKey.span.bytes) }
        let longStatus: [UInt8] = [0x49, 0]
        #expect(throws: WireError.trailingBytes(1)) { try ReadyForQuery(body: longStatus.span.bytes) }
        #expect(throws: WireError.missingTerminator) { try Query(body: utf8("select").span.bytes) }
    }

    @Test func everyWireErrorSaysWhatIsWrong() {
        for error: WireError in [
            .lengthTooSmall(1), .lengthTooLarge(9, limit: 5), .unknownTag(1), .truncated, .missingTerminator,
            .trailingBytes(1),
            .invalidCount(-2), .invalidValue(7), .invalidText,
        ] {
            #expect(error.description.count > 10 && error.sqlState == .protocolViolation)
        }
        #expect(tagText(0x5a) == "'Z'" && tagText(1) == "0x01" && tagText(0xff) == "0xFF")
    }
}
