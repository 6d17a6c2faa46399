// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// The messages that ask a server to run something.
struct QueryRequest {
    private(set) var bytes: [UInt8] = []
    /// The types of the messages in `bytes`.
    let tags: [FrontendTag]

    /// One or more statements by the simple protocol.
    init(_ sql: String) throws(PostgresError) {
        try Self.check(sql)
        tags = [.query]
        Query(sql).encode(into: &bytes)
    }

    /// One statement by the extended protocol, through the unnamed statement and portal.
    init(_ sql: String, _ parameters: [PostgresParameter], format: PostgresFormat) throws(PostgresError) {
        try Self.check(sql)
        guard parameters.count <= Int(UInt16.max) else {
            throw PostgresError(
                .invalidRequest,
                "a statement with \(parameters.count) parameters; at most \(UInt16.max) are possible")
        }
        let values = parameters.map(\.encoded)
        let size = values.reduce(0) { $0 + 4 + ($1?.count ?? 0) }
        guard size < Framing.messageLimit - 1 << 20 else {
            throw PostgresError(
                .invalidRequest, "parameters of \(size) bytes; PostgreSQL takes less than 1 GiB")
        }
        tags = [.parse, .bind, .describe, .execute, .sync]
        Parse(name: "", query: sql, parameterTypes: parameters.map(\.type.rawValue)).encode(into: &bytes)
        Bind(
            statement: [], parameterFormats: parameters.map { $0.format == .binary ? .binary : .text },
            parameters: values, resultFormats: [format == .binary ? .binary : .text]
        ).encode(into: &bytes)
        NamedObject(.portal, name: "").encodeDescribe(into: &bytes)
        Execute().encode(into: &bytes)
        FrontendTag.sync.encodeEmpty(into: &bytes)
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
