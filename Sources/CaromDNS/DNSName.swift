// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A domain name (RFC 1035 §3.1), lower-cased, kept in wire form without the final zero byte.
struct DNSName: Hashable, Sendable, CustomStringConvertible {
    /// Labels, each preceded by its length. Empty for the root.
    let wire: [UInt8]

    static let root = DNSName(lowercasedWire: [])

    /// Takes labels that are known to be valid and lower-cased.
    init(lowercasedWire wire: [UInt8]) {
        self.wire = wire
    }

    /// Reads the presentation form: labels separated by dots, an optional dot at the end, escapes `\.`, `\\`, `\DDD`.
    init(_ text: String) throws(DNSError) {
        if text == "." {
            wire = []
            return
        }
        var wire: [UInt8] = []
        var label: [UInt8] = []
        var bytes = Array(text.utf8)[...]
        func invalid(_ reason: String) -> DNSError {
            DNSError(.invalidName, "\"\(text)\" is not a domain name: \(reason)")
        }
        func endLabel() throws(DNSError) {
            guard !label.isEmpty else { throw invalid("a label is empty") }
            guard label.count <= 63 else { throw invalid("a label is longer than 63 bytes") }
            wire.append(UInt8(label.count))
            wire += label
            label.removeAll(keepingCapacity: true)
        }
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "."):
                try endLabel()
            case UInt8(ascii: "\\"):
                guard let next = bytes.popFirst() else { throw invalid("it ends with a backslash") }
                guard Self.isDigit(next) else {
                    label.append(Self.lowercased(next))
                    continue
                }
                guard let second = bytes.popFirst(), let third = bytes.popFirst(), Self.isDigit(second),
                    Self.isDigit(third),
                    let value = UInt8(String(decoding: [next, second, third], as: UTF8.self))
                else { throw invalid("an escape is not three digits up to 255") }
                label.append(Self.lowercased(value))
            case 0x21...0x7e:
                label.append(Self.lowercased(byte))
            default:
                throw invalid("only printable ASCII is allowed; write other names in their xn-- form")
            }
        }
        if !label.isEmpty || wire.isEmpty { try endLabel() }
        guard wire.count < 255 else { throw invalid("it is longer than 255 bytes") }
        self.wire = wire
    }

    /// The name with `suffix` behind it, or nil if that is too long.
    func appending(_ suffix: DNSName) -> DNSName? {
        let joined = wire + suffix.wire
        return joined.count < 255 ? DNSName(lowercasedWire: joined) : nil
    }

    /// How many labels there are.
    var labelCount: Int {
        var count = 0
        var index = 0
        while index < wire.count {
            count += 1
            index += 1 + Int(wire[index])
        }
        return count
    }

    /// The presentation form without a dot at the end; `.` for the root.
    var description: String {
        guard !wire.isEmpty else { return "." }
        var text = ""
        var index = 0
        while index < wire.count {
            let end = index + 1 + Int(wire[index])
            if index > 0 { text += "." }
            for byte in wire[(index + 1)..<end] {
                switch byte {
                case UInt8(ascii: "."), UInt8(ascii: "\\"):
                    text += "\\"
                    text.unicodeScalars.append(Unicode.Scalar(byte))
                case 0x21...0x7e:
                    text.unicodeScalars.append(Unicode.Scalar(byte))
                default:
                    let digits = String(byte)
                    text += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
                }
            }
            index = end
        }
        return text
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }
}
