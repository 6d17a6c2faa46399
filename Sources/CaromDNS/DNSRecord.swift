// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// The record types we ask for or look at (RFC 1035 §3.2.2, RFC 3596, RFC 2782).
enum DNSType: UInt16, Hashable, Sendable, CustomStringConvertible {
    case a = 1
    case ns = 2
    case cname = 5
    case soa = 6
    case aaaa = 28
    case srv = 33

    var description: String {
        switch self {
        case .a: "A"
        case .ns: "NS"
        case .cname: "CNAME"
        case .soa: "SOA"
        case .aaaa: "AAAA"
        case .srv: "SRV"
        }
    }
}

/// What a nameserver is asked.
struct DNSQuestion: Hashable, Sendable, CustomStringConvertible {
    var name: DNSName
    var type: DNSType

    var description: String { "\(name) \(type)" }
}

/// One SRV record's content (RFC 2782).
struct ServiceRecord: Hashable, Sendable {
    var priority: UInt16
    var weight: UInt16
    var port: UInt16
    var target: DNSName
}

/// One record of an answer.
struct DNSRecord: Hashable, Sendable {
    /// The parsed content of the types we know.
    enum Content: Hashable, Sendable {
        case address(IPAddress)
        case service(ServiceRecord)
        case alias(DNSName)
        /// A zone's SOA; only the negative caching time matters here (RFC 2308 §4).
        case authority(minimum: UInt32)
        /// Delegation to other servers.
        case delegation
        /// Any other type or class.
        case other(UInt16)
    }

    var name: DNSName
    /// Seconds.
    var ttl: UInt32
    var content: Content
}
