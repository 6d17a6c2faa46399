// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// How one query is run.
public struct QueryOptions: Hashable, Sendable {
    /// Bytes of rows and notices to take into memory at most, counting 8 for each value and row besides its own. Default 64 MiB.
    ///
    /// A result that is larger is an error of the code ``PostgresError/Code/tooLarge``: the rest is cancelled and thrown
    /// away as it comes, and the connection stays usable (a transaction has failed, if one was open).
    public var maximumBytes = 64 << 20
    /// How long the query may take until its last byte is here. Default nil: as long as it wants.
    ///
    /// A query that takes longer is cancelled on the server, and the connection must be given back.
    public var timeout: Duration?
    /// In which form a query with parameters returns its values. Default text, which every type has.
    public var format = PostgresFormat.text

    /// The defaults, or some of them.
    public init(maximumBytes: Int = 64 << 20, timeout: Duration? = nil, format: PostgresFormat = .text) {
        self.maximumBytes = maximumBytes
        self.timeout = timeout
        self.format = format
    }
}
