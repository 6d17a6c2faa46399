// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What is asked of a server, before it is known which statements the session has.
struct QueryRequest {
    private enum Kind {
        /// One or more statements by the simple protocol.
        case simple
        /// One statement by the extended protocol, through the unnamed portal.
        case extended([PostgresParameter], PostgresFormat, window: UInt32?)
    }
    private let kind: Kind
    let sql: String

    /// The messages that go to the server.
    struct Messages {
        var bytes: [UInt8] = []
        /// Their types.
        var tags: [FrontendTag] = []
    }

    /// One or more statements by the simple protocol.
    init(_ sql: String) throws(PostgresError) {
        try Self.check(sql)
        kind = .simple
        self.sql = sql
    }

    /// One statement by the extended protocol.
    ///
    /// - Parameter window: how many rows the server sends before it waits to be asked for more; nil for all rows. With a window the
    ///   batch is left open, without a Sync.
    init(
        _ sql: String, _ parameters: [PostgresParameter], format: PostgresFormat, window: UInt32? = nil
    ) throws(PostgresError) {
        try Self.check(sql)
        guard parameters.count <= Int(UInt16.max) else {
            throw PostgresError(
                .invalidRequest,
                "a statement with \(parameters.count) parameters; at most \(UInt16.max) are possible")
        }
        let size = parameters.reduce(0) { $0 + 4 + ($1.encoded?.count ?? 0) }
        guard size < Framing.messageLimit - 1 << 20 else {
            throw PostgresError(
                .invalidRequest, "parameters of \(size) bytes; PostgreSQL takes less than 1 GiB")
        }
        kind = .extended(parameters, format, window: window)
        self.sql = sql
    }

    /// A Sync ends it.
    var isSynced: Bool {
        if case .extended(_, _, window: nil) = kind { true } else { false }
    }

    /// Finds the statement among those that the session has. What is read in windows is used once and not kept.
    func use(_ cache: inout StatementCache, limit: Int) -> StatementCache.Use? {
        guard case .extended(let parameters, _, window: nil) = kind else { return nil }
        return cache.use(sql, types: parameters.map(\.type), limit: limit)
    }

    /// The messages, with the statement as the session has it; nil for the unnamed one.
    func messages(_ use: StatementCache.Use?) -> Messages {
        var messages = Messages()
        func add(_ tag: FrontendTag, _ encode: (inout [UInt8]) -> Void) {
            messages.tags.append(tag)
            encode(&messages.bytes)
        }
        guard case .extended(let parameters, let format, let window) = kind else {
            add(.query) { Query(sql).encode(into: &$0) }
            return messages
        }
        for name in use?.closes ?? [] {
            add(.close) { NamedObject(.statement, name: name).encodeClose(into: &$0) }
        }
        if use?.mustParse ?? true {
            add(.parse) {
                Parse(name: use?.name ?? "", query: sql, parameterTypes: parameters.map(\.type.rawValue))
                    .encode(into: &$0)
            }
        }
        add(.bind) {
            Bind(
                statement: Array((use?.name ?? "").utf8),
                parameterFormats: parameters.map { $0.format == .binary ? .binary : .text },
                parameters: parameters.map(\.encoded), resultFormats: [format == .binary ? .binary : .text]
            ).encode(into: &$0)
        }
        add(.describe) { NamedObject(.portal, name: "").encodeDescribe(into: &$0) }
        add(.execute) { Execute(limit: window ?? 0).encode(into: &$0) }
        let end: FrontendTag = window == nil ? .sync : .flush
        add(end) { end.encodeEmpty(into: &$0) }
        return messages
    }

    private static func check(_ sql: String) throws(PostgresError) {
        // A zero byte ends the text on the wire: the server would run another statement than the one meant.
        guard !sql.utf8.contains(0) else {
            throw PostgresError(.invalidRequest, "a statement must not contain a zero byte")
        }
        guard sql.utf8.count < Framing.messageLimit - 1 << 20 else {
            throw PostgresError(
                .invalidRequest, "a statement of \(sql.utf8.count) bytes; PostgreSQL takes less than 1 GiB")
        }
    }
}
