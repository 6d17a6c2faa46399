// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What is wrong with the bytes of a message.
enum DNSMessageError: Error, Hashable, Sendable {
    /// A length or count reaches behind the end.
    case tooShort
    /// A name is longer than 255 bytes, or a label uses a reserved form.
    case badName
    /// A compression pointer does not point backwards.
    case badPointer
    /// A record's content does not have the length its type demands.
    case badContent
}

/// A DNS message, parsed (RFC 1035 §4).
///
/// Pure and total: any bytes give a message or an error, in time and memory linear in the size of the message times the
/// longest name.
struct DNSMessage: Hashable, Sendable {
    var id: UInt16
    var isResponse: Bool
    var operation: UInt8
    var isAuthoritative: Bool
    var isTruncated: Bool
    var responseCode: UInt8
    /// The question's name and raw type, if there is exactly one of class IN.
    var question: (name: DNSName, type: UInt16)? {
        questionName.map { ($0, questionType) }
    }
    var answers: [DNSRecord]
    var authorities: [DNSRecord]
    var additionals: [DNSRecord]

    private var questionName: DNSName?
    private var questionType: UInt16 = 0

    init(parsing bytes: RawSpan) throws(DNSMessageError) {
        var offset = 0
        id = try Self.uint16(bytes, &offset)
        let flags = try Self.uint16(bytes, &offset)
        isResponse = flags & 0x8000 != 0
        operation = UInt8(truncatingIfNeeded: flags >> 11) & 15
        isAuthoritative = flags & 0x0400 != 0
        isTruncated = flags & 0x0200 != 0
        responseCode = UInt8(truncatingIfNeeded: flags) & 15
        let questions = try Self.uint16(bytes, &offset)
        let counts = (
            try Self.uint16(bytes, &offset), try Self.uint16(bytes, &offset), try Self.uint16(bytes, &offset)
        )
        for _ in 0..<questions {
            let name = try Self.name(bytes, &offset)
            let type = try Self.uint16(bytes, &offset)
            let kind = try Self.uint16(bytes, &offset)
            if questions == 1, kind == 1 { (questionName, questionType) = (name, type) }
        }
        answers = try Self.records(bytes, &offset, count: counts.0)
        authorities = try Self.records(bytes, &offset, count: counts.1)
        additionals = try Self.records(bytes, &offset, count: counts.2)
    }

    private static func records(
        _ bytes: RawSpan, _ offset: inout Int, count: UInt16
    ) throws(DNSMessageError) -> [DNSRecord] {
        var records: [DNSRecord] = []
        for _ in 0..<count {
            let name = try Self.name(bytes, &offset)
            let type = try uint16(bytes, &offset)
            let kind = try uint16(bytes, &offset)
            let ttl = try uint32(bytes, &offset)
            let length = Int(try uint16(bytes, &offset))
            let end = offset + length
            guard end <= bytes.byteCount else { throw .tooShort }
            let content = try Self.content(bytes, from: offset, to: end, type: type, kind: kind)
            offset = end
            // A time with the highest bit set counts as zero (RFC 2181 §8).
            records.append(DNSRecord(name: name, ttl: ttl > UInt32(Int32.max) ? 0 : ttl, content: content))
        }
        return records
    }

    private static func content(
        _ bytes: RawSpan, from start: Int, to end: Int, type: UInt16, kind: UInt16
    ) throws(DNSMessageError) -> DNSRecord.Content {
        guard kind == 1, let known = DNSType(rawValue: type) else { return .other(type) }
        var offset = start
        let content: DNSRecord.Content
        switch known {
        case .a:
            guard end - start == 4 else { throw .badContent }
            content = .address(.v4(try uint32(bytes, &offset)))
        case .aaaa:
            guard end - start == 16 else { throw .badContent }
            let words = (
                try uint32(bytes, &offset), try uint32(bytes, &offset), try uint32(bytes, &offset),
                try uint32(bytes, &offset)
            )
            content = .address(
                .v6(UInt64(words.0) << 32 | UInt64(words.1), UInt64(words.2) << 32 | UInt64(words.3)))
        case .srv:
            let (priority, weight) = (try uint16(bytes, &offset), try uint16(bytes, &offset))
            let port = try uint16(bytes, &offset)
            let target = try name(bytes, &offset)
            content = .service(ServiceRecord(priority: priority, weight: weight, port: port, target: target))
        case .cname:
            content = .alias(try name(bytes, &offset))
        case .soa:
            _ = try name(bytes, &offset)
            _ = try name(bytes, &offset)
            for _ in 0..<4 { _ = try uint32(bytes, &offset) }
            content = .authority(minimum: try uint32(bytes, &offset))
        case .ns:
            _ = try name(bytes, &offset)
            content = .delegation
        }
        guard offset == end else { throw .badContent }
        return content
    }

    /// Reads a name and leaves `offset` behind it. Pointers must point before the part they continue, so every name ends.
    private static func name(_ bytes: RawSpan, _ offset: inout Int) throws(DNSMessageError) -> DNSName {
        var wire: [UInt8] = []
        var position = offset
        var limit = offset
        var jumps = 0
        while true {
            let length = try byte(bytes, position)
            switch length & 0xc0 {
            case 0:
                guard length > 0 else {
                    if jumps == 0 { offset = position + 1 }
                    return wire.isEmpty ? .root : DNSName(lowercasedWire: wire)
                }
                guard wire.count + 1 + Int(length) < 255 else { throw .badName }
                guard position + 1 + Int(length) <= bytes.byteCount else { throw .tooShort }
                wire.append(length)
                for index in (position + 1)...(position + Int(length)) {
                    wire.append(DNSName.lowercased(try byte(bytes, index)))
                }
                position += 1 + Int(length)
            case 0xc0:
                let target = Int(length & 0x3f) << 8 | Int(try byte(bytes, position + 1))
                // No name has more labels than 127, so more pointers serve nobody but an attacker.
                guard target < limit, jumps < 127 else { throw .badPointer }
                if jumps == 0 { offset = position + 2 }
                jumps += 1
                limit = target
                position = target
            default:
                throw .badName
            }
        }
    }

    private static func byte(_ bytes: RawSpan, _ offset: Int) throws(DNSMessageError) -> UInt8 {
        guard offset < bytes.byteCount else { throw .tooShort }
        return bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    private static func uint16(_ bytes: RawSpan, _ offset: inout Int) throws(DNSMessageError) -> UInt16 {
        guard bytes.byteCount - offset >= 2 else { throw .tooShort }
        defer { offset += 2 }
        return UInt16(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    private static func uint32(_ bytes: RawSpan, _ offset: inout Int) throws(DNSMessageError) -> UInt32 {
        guard bytes.byteCount - offset >= 4 else { throw .tooShort }
        defer { offset += 4 }
        return UInt32(bigEndian: bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
