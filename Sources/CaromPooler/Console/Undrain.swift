// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// `UNDRAIN server`: ends what `DRAIN` with the same words has begun.
struct Undrain: ConsoleCommand {
    static let name = "UNDRAIN"
    static let usage = "UNDRAIN server"

    let server: String

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Undrain? {
        guard words[0].isKeyword("undrain") else { return nil }
        guard words.count == 2 else {
            throw ConsoleError(.syntaxError, "expected a server behind UNDRAIN")
        }
        return Undrain(server: words[1].text)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let resolvers = context.snapshot.resolvers
        if resolvers.undrain(server) { return .done(tag: Self.name) }
        let names = resolvers.drained.all
        return .failed(
            ConsoleError(
                .objectNotInPrerequisiteState, "server \"\(server)\" is not drained",
                hint: names.isEmpty ? nil : "drained are \(names.joined(separator: ", "))"))
    }
}
