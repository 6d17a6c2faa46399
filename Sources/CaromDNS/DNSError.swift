// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A configuration the resolver cannot use, or a system it cannot run on.
///
/// Answers and silence of nameservers are never errors here: they are events (`DNSEvent`).
public struct DNSError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code as a word.
        public let description: String

        /// A name is not a valid domain name (RFC 1035 §2.3.4).
        public static let invalidName = Code(description: "invalidName")
        /// A nameserver is not written as an address with an optional port.
        public static let invalidServer = Code(description: "invalidServer")
        /// A number or duration is outside its allowed range.
        public static let invalidSetting = Code(description: "invalidSetting")
        /// The system configuration names no usable nameserver.
        public static let noServers = Code(description: "noServers")
        /// The system refused a resource.
        public static let system = Code(description: "system")
    }

    /// For programs.
    public let code: Code
    /// For people: what, where, and which values are allowed.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    /// The message.
    public var description: String { message }
}
