// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// What a client may begin with, and what ends its session before it has begun.
@Suite struct StartupMachineTests {
    /// Some bytes under a name.
    struct Packet: CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        var testDescription: String { name }

        init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    /// Bytes that end the session, and the code that the client is told.
    struct Offence: CustomTestStringConvertible {
        let packet: Packet
        let code: SQLState
        var testDescription: String { packet.name }

        init(_ name: String, _ bytes: [UInt8], _ code: SQLState) {
            packet = Packet(name, bytes)
            self.code = code
        }
    }

    private static let startup = StartupMessage(
        user: "bob", database: "shop", options: "-c geqo=off",
        parameters: [StartupParameter("application_name", "psql")])
    private static let cancel = CancelRequest(processID: 4711, key: [1, 2, 3, 4])

    private static let startupPacket = Packet("a startup message", bytes { startup.encode(into: &$0) })
    private static let cancelPacket = Packet("a cancel request", bytes { cancel.encode(into: &$0) })
    private static let tlsPacket = Packet("a request for TLS", bytes(StartupPacket.encodeSSLRequest))
    private static let gssPacket = Packet("a request for GSSAPI", bytes(StartupPacket.encodeGSSEncRequest))

    private static let kinds: [(Packet, StartupMachine.Step)] = [
        (startupPacket, .begin(startup)), (cancelPacket, .cancel(cancel)),
        (tlsPacket, .refuseEncryption), (gssPacket, .refuseEncryption),
    ]

    // MARK: What is understood

    @Test(arguments: kinds)
    func aWholePacketMeansWhatItSays(_ packet: Packet, _ meaning: StartupMachine.Step) throws {
        var machine = StartupMachine(.none)
        var consumed = 0
        let step = try machine.next(in: packet.bytes.span.bytes, consumed: &consumed)
        #expect(step == meaning)
        #expect(consumed == packet.bytes.count)
    }

    @Test(arguments: kinds)
    func aPacketThatComesByteByByteIsWaitedFor(_ packet: Packet, _ meaning: StartupMachine.Step) throws {
        var machine = StartupMachine(.none)
        for length in 0..<packet.bytes.count {
            let part = Array(packet.bytes[..<length])
            var consumed = -1
            let step = try machine.next(in: part.span.bytes, consumed: &consumed)
            #expect(step == .needMore && consumed == 0, "\(length) bytes")
        }
        var consumed = 0
        #expect(try machine.next(in: packet.bytes.span.bytes, consumed: &consumed) == meaning)
        #expect(consumed == packet.bytes.count)
    }

    @Test(arguments: [startupPacket, cancelPacket])
    func whatComesBehindAPacketThatAsksForNoEncryptionIsKept(_ packet: Packet) throws {
        var machine = StartupMachine(.none)
        let bytes = packet.bytes + [UInt8(ascii: "p"), 0, 0, 0]
        var consumed = 0
        _ = try machine.next(in: bytes.span.bytes, consumed: &consumed)
        #expect(consumed == packet.bytes.count)
    }

    @Test(arguments: [
        [tlsPacket], [gssPacket], [tlsPacket, gssPacket], [gssPacket, tlsPacket],
    ])
    func encryptionIsRefusedAndTheSessionGoesOn(_ requests: [Packet]) throws {
        var machine = StartupMachine(.none)
        var consumed = 0
        for request in requests {
            let step = try machine.next(in: request.bytes.span.bytes, consumed: &consumed)
            #expect(step == .refuseEncryption)
        }
        let bytes = Self.startupPacket.bytes
        #expect(try machine.next(in: bytes.span.bytes, consumed: &consumed) == .begin(Self.startup))
    }

    @Test func thePacketOfTheGreatestLengthIsTaken() throws {
        let bytes = Self.packet(ofLength: Framing.startupLimit)
        var machine = StartupMachine(.none)
        var consumed = 0
        guard case .begin(let message) = try machine.next(in: bytes.span.bytes, consumed: &consumed) else {
            Issue.record("the packet is not understood")
            return
        }
        #expect(message.user == "bob" && consumed == Framing.startupLimit)
    }

    @Test func aNameOfAProgramMayHaveAnyBytes() throws {
        let bytes = Self.message([("user", "bob".bytes), ("application_name", [0xff])])
        var machine = StartupMachine(.none)
        var consumed = 0
        let step = try machine.next(in: bytes.span.bytes, consumed: &consumed)
        guard case .begin = step else {
            Issue.record("it is \(step)")
            return
        }
    }

    // MARK: TLS

    private static let withTLS = [StartupMachine.Encryption.offered, .required]

    @Test(arguments: withTLS)
    func aRequestForTLSIsGrantedAndTheSessionComesThroughIt(_ encryption: StartupMachine.Encryption) throws {
        var machine = StartupMachine(encryption)
        #expect(try Self.step(Self.tlsPacket.bytes, &machine) == .acceptTLS)
        #expect(try Self.step(Self.startupPacket.bytes, &machine) == .begin(Self.startup))
        try machine.admit()
    }

    @Test(arguments: withTLS)
    func aHandshakeWithoutARequestIsTakenAsItStands(_ encryption: StartupMachine.Encryption) throws {
        var machine = StartupMachine(encryption)
        var consumed = -1
        let hello: [UInt8] = [0x16, 3, 1, 2, 0]
        #expect(try machine.next(in: hello.span.bytes, consumed: &consumed) == .beginTLS)
        #expect(consumed == 0)
        // Inside of it nothing more is encrypted.
        #expect(try Self.step(Self.tlsPacket.bytes, &machine) == .refuseEncryption)
        #expect(try Self.step(Self.gssPacket.bytes, &machine) == .refuseEncryption)
        #expect(try Self.step(Self.startupPacket.bytes, &machine) == .begin(Self.startup))
    }

    @Test func whoMayChooseMayComeInTheOpen() throws {
        var machine = StartupMachine(.offered)
        #expect(try Self.step(Self.gssPacket.bytes, &machine) == .refuseEncryption)
        #expect(try Self.step(Self.startupPacket.bytes, &machine) == .begin(Self.startup))
        try machine.admit()
    }

    @Test func whereTLSIsNeededNoSessionBeginsInTheOpen() throws {
        var machine = StartupMachine(.required)
        #expect(try Self.step(Self.gssPacket.bytes, &machine) == .refuseEncryption)
        #expect(Self.refusal(of: Self.startupPacket.bytes, by: &machine)?.code == .invalidAuthorization)
        // Nor if its packet is known already.
        #expect(throws: SessionEnd.self) { try machine.admit() }
    }

    @Test func aCancelNeedsNoTLS() throws {
        var machine = StartupMachine(.required)
        #expect(try Self.step(Self.cancelPacket.bytes, &machine) == .cancel(Self.cancel))
    }

    /// A handshake may only be the first thing that is said: not behind a request that was refused or granted.
    @Test(arguments: [[tlsPacket], [gssPacket], [Packet("a handshake", [0x16])]])
    func aHandshakeBehindAnythingElseEndsTheSession(_ before: [Packet]) throws {
        var machine = StartupMachine(.offered)
        for packet in before { _ = try Self.step(packet.bytes, &machine) }
        #expect(Self.refusal(of: [0x16, 3, 1], by: &machine)?.code == .protocolViolation)
    }

    private static func step(_ bytes: [UInt8], _ machine: inout StartupMachine) throws -> StartupMachine.Step
    {
        var consumed = 0
        return try machine.next(in: bytes.span.bytes, consumed: &consumed)
    }

    // MARK: What is refused

    @Test(arguments: [
        [tlsPacket, tlsPacket], [gssPacket, gssPacket], [tlsPacket, gssPacket, tlsPacket],
        [gssPacket, tlsPacket, gssPacket],
    ])
    func noEncryptionIsAskedForTwice(_ requests: [Packet]) throws {
        var machine = StartupMachine(.none)
        var consumed = 0
        for request in requests.dropLast() {
            _ = try machine.next(in: request.bytes.span.bytes, consumed: &consumed)
        }
        let last = try #require(requests.last)
        #expect(Self.refusal(of: last.bytes, by: &machine)?.code == .protocolViolation)
    }

    /// The class of CVE-2021-23214: an attacker in between could put a query in front of the encrypted session.
    @Test(arguments: [tlsPacket, gssPacket], [[0], startupPacket.bytes, [0x16, 3, 1]])
    func bytesBehindARequestForEncryptionEndTheSession(_ request: Packet, _ behind: [UInt8]) {
        for encryption in [StartupMachine.Encryption.none, .offered, .required] {
            var machine = StartupMachine(encryption)
            let fields = Self.refusal(of: request.bytes + behind, by: &machine)
            #expect(fields?.code == .protocolViolation)
            #expect(fields?.message?.hasPrefix("received unencrypted data after the request for") == true)
        }
    }

    private static let offences = [
        Offence("TLS without a request", [0x16], .featureNotSupported),
        Offence("a request of HTTP", "GET / HTTP/1.1\r\n\r\n".bytes, .protocolViolation),
        Offence("a length of zero", [0, 0, 0, 0], .protocolViolation),
        Offence("a length without room for a version", [0, 0, 0, 7], .protocolViolation),
        Offence("a length beyond the limit", [0, 0, 0x27, 0x11], .protocolViolation),
        Offence("version 2", message([], version: 0x0002_0000), .featureNotSupported),
        Offence("version 4", message([("user", "bob".bytes)], version: 0x0004_0000), .featureNotSupported),
        Offence("no user", message([("database", "shop".bytes)]), .invalidAuthorization),
        Offence("an empty user", message([("user", [])]), .invalidAuthorization),
        Offence(
            "a user's name of 64 bytes", message([("user", Array(repeating: 0x61, count: 64))]), .nameTooLong),
        Offence(
            "a database's name of 64 bytes",
            message([("user", "bob".bytes), ("database", Array(repeating: 0x61, count: 64))]), .nameTooLong),
        Offence("a user's name that is not text", message([("user", [0xff])]), .characterNotInRepertoire),
        Offence(
            "a setting that is not text", message([("user", "bob".bytes), ("TimeZone", [0xc3])]),
            .characterNotInRepertoire),
        Offence(
            "replication perhaps", message([("user", "bob".bytes), ("replication", "perhaps".bytes)]),
            .invalidParameterValue),
        Offence("a version alone", measured([0, 3, 0, 0]), .protocolViolation),
        Offence("no end of the list", measured([0, 3, 0, 0] + "user\0bob\0".bytes), .protocolViolation),
        Offence("a name without a value", measured([0, 3, 0, 0] + "user\0".bytes), .protocolViolation),
        Offence("a value without its end", measured([0, 3, 0, 0] + "user\0bob".bytes), .protocolViolation),
        Offence(
            "bytes behind the list", measured([0, 3, 0, 0] + "user\0bob\0\0x".bytes), .protocolViolation),
        Offence(
            "a request for TLS with more in it", measured(Array(tlsPacket.bytes[4...]) + [0]),
            .protocolViolation),
        Offence("a cancel key of three bytes", cancelling(key: 3), .protocolViolation),
        Offence("a cancel key of 257 bytes", cancelling(key: 257), .protocolViolation),
        Offence("a cancel request without a process", measured([4, 210, 22, 46]), .protocolViolation),
    ]

    @Test(arguments: offences)
    func whatIsNoStartupPacketIsRefusedWithACode(_ offence: Offence) {
        var machine = StartupMachine(.none)
        #expect(Self.refusal(of: offence.packet.bytes, by: &machine)?.code == offence.code)
    }

    @Test(arguments: offences)
    func anOffenceBehindARefusedRequestForEncryptionIsOneToo(_ offence: Offence) throws {
        var machine = StartupMachine(.none)
        var consumed = 0
        let request = Self.gssPacket.bytes
        _ = try machine.next(in: request.span.bytes, consumed: &consumed)
        #expect(Self.refusal(of: offence.packet.bytes, by: &machine)?.code == offence.code)
    }

    @Test func aPacketThatIsTooLongIsRefusedByItsLengthAlone() {
        var machine = StartupMachine(.none)
        let bytes = Self.packet(ofLength: Framing.startupLimit + 1)
        #expect(Self.refusal(of: Array(bytes[..<4]), by: &machine)?.code == .protocolViolation)
    }

    // MARK: Bytes

    /// What the client is told; nil if the bytes are understood, or the session ends in another way.
    private static func refusal(of bytes: [UInt8], by machine: inout StartupMachine) -> ErrorFields? {
        var consumed = 0
        do throws(SessionEnd) {
            _ = try machine.next(in: bytes.span.bytes, consumed: &consumed)
        } catch {
            guard case .refused(let fields) = error, fields.severity == .fatal else { return nil }
            return fields
        }
        return nil
    }

    private static func bytes(_ write: (inout [UInt8]) -> Void) -> [UInt8] {
        var bytes: [UInt8] = []
        write(&bytes)
        return bytes
    }

    /// A startup message with these names and values, whatever they are.
    private static func message(
        _ parameters: [(name: String, value: [UInt8])], version: UInt32 = ProtocolVersion.v3_0.code
    ) -> [UInt8] {
        var body: [UInt8] = []
        body.append32(version)
        for (name, value) in parameters { body += name.bytes + [0] + value + [0] }
        return measured(body + [0])
    }

    /// A startup message of this many bytes.
    private static func packet(ofLength length: Int) -> [UInt8] {
        let shortest = message([("user", "bob".bytes), ("a", [])]).count
        return message([("user", "bob".bytes), ("a", Array(repeating: 0x78, count: length - shortest))])
    }

    private static func cancelling(key length: Int) -> [UInt8] {
        bytes { CancelRequest(processID: 1, key: Array(repeating: 7, count: length)).encode(into: &$0) }
    }

    /// The body behind its length word.
    private static func measured(_ body: [UInt8]) -> [UInt8] {
        bytes { packet in
            packet.append32(UInt32(body.count + 4))
            packet += body
        }
    }
}

extension String {
    fileprivate var bytes: [UInt8] { Array(utf8) }
}
