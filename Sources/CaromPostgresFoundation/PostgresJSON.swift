// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import CaromPostgres
import FoundationEssentials

/// A `Codable` value that is JSON on the server, in a column of the type `json` or `jsonb`.
///
/// ```swift
/// let event = try PostgresJSON(Event(name: "login", count: 3))
/// try await connection.execute("insert into events (body) values (\(event))")
/// let events = try await connection.query("select body from events").decode(PostgresJSON<Event>.self)
/// ```
public struct PostgresJSON<Value: Sendable>: Sendable {
    /// What it stands for.
    public let value: Value
    /// The JSON itself.
    public let text: String

    /// Encodes a value.
    ///
    /// - Throws: what the value's `encode(to:)` throws, and `EncodingError` for what JSON has no word for, such as an infinite number.
    public init(_ value: Value) throws where Value: Encodable {
        self.value = value
        text = String(decoding: try JSONEncoder().encode(value), as: UTF8.self)
    }

    private init(_ text: String, as type: Value.Type) throws where Value: Decodable {
        self.text = text
        value = try JSONDecoder().decode(Value.self, from: Data(text.utf8))
    }
}

extension PostgresJSON: PostgresEncodable {
    /// The JSON.
    public var postgresParameter: PostgresParameter { .text(text) }
}

extension PostgresJSON: PostgresDecodable where Value: Decodable {
    /// Nil if the cell holds no JSON, or none of the value's form; `PostgresCell.json(_:)` says why.
    public static func decode(_ cell: PostgresCell) -> PostgresJSON? {
        cell.string.flatMap { try? PostgresJSON($0, as: Value.self) }
    }
}

extension PostgresCell {
    /// The value that the cell's JSON stands for.
    ///
    /// - Throws: `PostgresError` with the code `decoding`, which names the key that does not fit; no value is in its message.
    public func json<Value: Decodable>(_ type: Value.Type = Value.self) throws(PostgresError) -> Value {
        guard let text = string else {
            throw PostgresError(.decoding, "column '\(column.name)' is \(isNull ? "null" : "no JSON")")
        }
        do {
            return try JSONDecoder().decode(Value.self, from: Data(text.utf8))
        } catch let error as DecodingError {
            throw PostgresError(
                .decoding, "column '\(column.name)' is no \(Value.self): \(Self.reason(error))")
        } catch {
            throw PostgresError(.decoding, "column '\(column.name)' is no \(Value.self): \(error)")
        }
    }

    private static func reason(_ error: DecodingError) -> String {
        func path(_ context: DecodingError.Context) -> String {
            context.codingPath.isEmpty
                ? "the whole" : context.codingPath.map(\.stringValue).joined(separator: ".")
        }
        return switch error {
        case .keyNotFound(let key, let context): "\(path(context)) has no key '\(key.stringValue)'"
        case .valueNotFound(let type, let context): "\(path(context)) is null and not \(type)"
        case .typeMismatch(let type, let context): "\(path(context)) is not \(type)"
        case .dataCorrupted(let context): "\(path(context)) is not valid"
        @unknown default: "it does not fit"
        }
    }
}
