// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// A fixed list of backends.
public struct StaticResolver: Resolver {
    /// The set it publishes.
    public let set: BackendSet

    /// Always these backends.
    public init(_ backends: [Backend]) {
        set = BackendSet(backends)
    }

    /// Reads addresses separated by commas or white space, each as ``BackendAddress/init(parsing:defaultPort:)``.
    public init(parsing list: String, defaultPort: UInt16? = nil) throws(BackendAddressError) {
        let parts = list.split(whereSeparator: { $0 == "," || $0.isWhitespace })
        try self.init(parsing: parts.map(String.init), defaultPort: defaultPort)
    }

    /// Reads each text as ``BackendAddress/init(parsing:defaultPort:)``.
    public init(parsing list: [String], defaultPort: UInt16? = nil) throws(BackendAddressError) {
        var backends: [Backend] = []
        for text in list {
            backends.append(Backend(address: try BackendAddress(parsing: text, defaultPort: defaultPort)))
        }
        self.init(backends)
    }

    /// Publishes the set once.
    public func run(_ publish: @escaping @Sendable (BackendSet) -> Void) async {
        publish(set)
    }
}
