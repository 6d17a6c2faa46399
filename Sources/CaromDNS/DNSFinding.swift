// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// What a message says about a question.
enum DNSFinding: Hashable, Sendable {
    /// Records of the type asked for, found under the name or at the end of its aliases; `ttl` is the smallest on the way.
    case records([DNSRecord], ttl: UInt32)
    /// The name is an alias and the server did not say what for: ask for that name.
    case alias(DNSName)
    /// Definitely no such records; `ttl` from the zone's SOA (RFC 2308), if it came along.
    case nothing(nameExists: Bool, ttl: UInt32?)
    /// No statement about the records.
    case failure(String)
}

extension DNSMessage {
    /// Reads the message as an answer to `question`.
    func finding(for question: DNSQuestion) -> DNSFinding {
        guard isResponse, operation == 0 else { return .failure("not a response") }
        guard let asked = self.question, asked.name == question.name, asked.type == question.type.rawValue
        else {
            return .failure("the answer is to another question")
        }
        guard !isTruncated else { return .failure("truncated") }
        guard responseCode == 0 || responseCode == 3 else {
            return .failure(Self.names[responseCode] ?? "response code \(responseCode)")
        }
        var name = question.name
        var ttl = UInt32.max
        // Longer chains are a mistake of the zone, or a loop.
        for hop in 0..<16 {
            let found = answers.filter { $0.name == name && $0.content.type == question.type }
            if !found.isEmpty {
                return .records(found, ttl: found.reduce(ttl) { min($0, $1.ttl) })
            }
            guard let alias = answers.first(where: { $0.name == name && $0.content.type == .cname }),
                case .alias(let target) = alias.content
            else { return nothing(hop == 0 ? nil : name) }
            ttl = min(ttl, alias.ttl)
            name = target
        }
        return .failure("the aliases of \(question.name) do not end")
    }

    private func nothing(_ alias: DNSName?) -> DNSFinding {
        var ttl: UInt32?
        for case let record in authorities {
            if case .authority(let minimum) = record.content { ttl = min(record.ttl, minimum) }
        }
        if responseCode == 3 { return .nothing(nameExists: false, ttl: ttl) }
        if let alias, ttl == nil { return .alias(alias) }
        if ttl == nil, !isAuthoritative, authorities.contains(where: { $0.content == .delegation }) {
            return .failure("the server refers to others instead of answering")
        }
        return .nothing(nameExists: true, ttl: ttl)
    }

    private static let names: [UInt8: String] = [
        1: "FORMERR", 2: "SERVFAIL", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH",
    ]
}

extension DNSRecord.Content {
    /// The type this content belongs to, if it is one we know.
    var type: DNSType? {
        switch self {
        case .address(let address):
            switch address.family {
            case .v4: .a
            case .v6: .aaaa
            }
        case .service: .srv
        case .alias: .cname
        case .authority: .soa
        case .delegation: .ns
        case .other: nil
        }
    }
}
