// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import FoundationEssentials

extension StatsFrame {
    /// The message as JSON, keys sorted.
    public var json: Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return try encoder.encode(self)
        } catch {
            preconditionFailure("a message of numbers and texts cannot be written as JSON: \(error)")
        }
    }

    /// Reads a message, of this library or of any other that speaks qtop's JSON.
    ///
    /// - Throws: ``StatsClientError`` that says what is missing or wrong.
    public init(json: Data) throws(StatsClientError) {
        do {
            self = try JSONDecoder().decode(StatsFrame.self, from: json)
        } catch {
            throw StatsClientError("not a message of a statistics stream: \(error)")
        }
    }
}
