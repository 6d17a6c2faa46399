// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

@testable import CaromDNS

/// Writes DNS messages for tests, names uncompressed.
struct MessageWriter {
    var id: UInt16 = 0x1234
    var flags: UInt16 = 0x8180
    var question: DNSQuestion
    var answers: [DNSRecord] = []
    var authorities: [DNSRecord] = []
    var additionals: [DNSRecord] = []

    /// A positive answer.
    init(_ question: DNSQuestion, _ answers: [DNSRecord] = []) {
        self.question = question
        self.answers = answers
    }

    /// An answer with a response code, and a SOA if `minimum` is given.
    init(_ question: DNSQuestion, code: UInt16, minimum: UInt32? = nil) {
        self.question = question
        flags |= code
        if let minimum {
            authorities = [DNSRecord(name: .root, ttl: minimum, content: .authority(minimum: minimum))]
        }
    }

    var bytes: [UInt8] {
        var out: [UInt8] = []
        for word in [id, flags, 1] { out += Self.big(word) }
        for section in [answers, authorities, additionals] { out += Self.big(UInt16(section.count)) }
        out += question.name.wire + [0] + Self.big(question.type.rawValue) + Self.big(1)
        for record in answers + authorities + additionals { out += Self.record(record) }
        return out
    }

    var message: DNSMessage {
        do {
            return try DNSMessage(parsing: bytes.span.bytes)
        } catch {
            preconditionFailure("a test wrote a bad message: \(error)")
        }
    }

    static func record(_ record: DNSRecord) -> [UInt8] {
        var out = record.name.wire + [0]
        let content: [UInt8]
        let type: UInt16
        switch record.content {
        case .address(.v4(let number)):
            type = 1
            content = big(UInt16(number >> 16)) + big(UInt16(truncatingIfNeeded: number))
        case .address(.v6(let high, let low)):
            type = 28
            content = [high, low].flatMap { number in
                (0..<8).map { UInt8(truncatingIfNeeded: number >> (56 - 8 * $0)) }
            }
        case .service(let service):
            type = 33
            content =
                big(service.priority) + big(service.weight) + big(service.port) + service.target.wire + [0]
        case .alias(let target):
            type = 5
            content = target.wire + [0]
        case .authority(let minimum):
            type = 6
            content =
                [0, 0] + [UInt8](repeating: 0, count: 16) + big(UInt16(minimum >> 16))
                + big(UInt16(truncatingIfNeeded: minimum))
        case .delegation:
            type = 2
            content = [0]
        case .other(let number):
            type = number
            content = [1, 2, 3]
        }
        out +=
            big(type) + big(1) + big(UInt16(record.ttl >> 16)) + big(UInt16(truncatingIfNeeded: record.ttl))
        return out + big(UInt16(content.count)) + content
    }

    static func big(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(truncatingIfNeeded: number)] }
}

func name(_ text: String) -> DNSName {
    do {
        return try DNSName(text)
    } catch {
        preconditionFailure("a test uses a bad name: \(error)")
    }
}

func server(_ text: String) -> DNSServer {
    do {
        return try DNSServer(parsing: text)
    } catch {
        preconditionFailure("a test uses a bad nameserver: \(error)")
    }
}

func address(_ owner: String, _ text: String, ttl: UInt32 = 60) -> DNSRecord {
    guard let address = IPAddress(text) else { preconditionFailure("a test uses a bad address: \(text)") }
    return DNSRecord(name: name(owner), ttl: ttl, content: .address(address))
}

func service(
    _ owner: String, _ target: String, port: UInt16 = 5432, priority: UInt16 = 0, weight: UInt16 = 1,
    ttl: UInt32 = 60
) -> DNSRecord {
    DNSRecord(
        name: name(owner), ttl: ttl,
        content: .service(
            ServiceRecord(priority: priority, weight: weight, port: port, target: name(target))))
}

func alias(_ owner: String, _ target: String, ttl: UInt32 = 60) -> DNSRecord {
    DNSRecord(name: name(owner), ttl: ttl, content: .alias(name(target)))
}
