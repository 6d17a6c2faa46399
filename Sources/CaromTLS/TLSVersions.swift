// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromOpenSSL

/// A set of TLS protocol versions.
package struct TLSVersions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let tls10 = TLSVersions(rawValue: 1)
    package static let tls11 = TLSVersions(rawValue: 2)
    package static let tls12 = TLSVersions(rawValue: 4)
    package static let tls13 = TLSVersions(rawValue: 8)

    /// What is offered unless configured otherwise: TLS 1.2 and 1.3.
    package static let secure: TLSVersions = [.tls12, .tls13]
    /// Everything from TLS 1.0 on. The host's OpenSSL policy may still refuse the old ones.
    package static let all: TLSVersions = [.tls10, .tls11, .tls12, .tls13]

    /// Reads a list such as `tlsv1.2,tlsv1.3`; also `secure`, `default` and `all`. Separators are commas, colons and
    /// blanks.
    package init(parsing list: String) throws(TLSError) {
        var versions: TLSVersions = []
        for word in list.lowercased().split(whereSeparator: { $0 == "," || $0 == ":" || $0.isWhitespace }) {
            switch word {
            case "tlsv1", "tlsv1.0": versions.insert(.tls10)
            case "tlsv1.1": versions.insert(.tls11)
            case "tlsv1.2": versions.insert(.tls12)
            case "tlsv1.3": versions.insert(.tls13)
            case "secure", "default": versions.formUnion(.secure)
            case "all", "legacy": versions.formUnion(.all)
            default:
                throw TLSError(
                    .configuration,
                    "unknown TLS protocol \"\(word)\"; allowed are tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3, secure, all"
                )
            }
        }
        guard !versions.isEmpty else {
            throw TLSError(
                .configuration,
                "the list of TLS protocols is empty; allowed are tlsv1.0, tlsv1.1, tlsv1.2, tlsv1.3, secure, all"
            )
        }
        self = versions
    }

    /// The lowest and highest version as OpenSSL numbers, and the options that switch off the holes between them.
    var range: (lowest: Int32, highest: Int32, holes: UInt64)? {
        let ladder: [(version: TLSVersions, number: Int32, off: UInt64)] = [
            (.tls10, TLS1_VERSION, 0), (.tls11, TLS1_1_VERSION, carom_SSL_OP_NO_TLSv1_1),
            (.tls12, TLS1_2_VERSION, carom_SSL_OP_NO_TLSv1_2), (.tls13, TLS1_3_VERSION, 0),
        ]
        let wanted = ladder.filter { contains($0.version) }
        guard let lowest = wanted.first, let highest = wanted.last else { return nil }
        let holes = ladder.filter {
            $0.number > lowest.number && $0.number < highest.number && !contains($0.version)
        }
        return (lowest.number, highest.number, holes.reduce(0) { $0 | $1.off })
    }
}
