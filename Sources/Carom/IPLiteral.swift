// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Recognizes literal IP addresses.
enum IPLiteral {
    /// Whether the text is an IPv4 address, or an IPv6 address with or without a zone behind `%`.
    static func isAddress(_ text: String) -> Bool {
        var storage = in6_addr()
        guard text.utf8.contains(UInt8(ascii: ":")) else { return inet_pton(AF_INET, text, &storage) == 1 }
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        return parts.last?.isEmpty == false && inet_pton(AF_INET6, String(parts[0]), &storage) == 1
    }
}
