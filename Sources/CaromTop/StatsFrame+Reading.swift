// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import CaromStats
public import FoundationEssentials

extension StatsFrame {
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
