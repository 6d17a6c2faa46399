// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol

/// `DRAIN server`: takes a server out of use, by its name or address, whatever its resolver says.
struct Drain: ConsoleCommand {
    static let name = "DRAIN"
    static let usage = "DRAIN server"

    let server: String

    static func parse(_ words: [ConsoleWord]) throws(ConsoleError) -> Drain? {
        guard words[0].isKeyword("drain") else { return nil }
        guard words.count == 2 else {
            throw ConsoleError(
                .syntaxError, "expected a server behind DRAIN",
                hint: "SHOW RESOLVERS has it as name and addr; quotes go around both")
        }
        return Drain(server: words[1].text)
    }

    func run(_ context: ConsoleContext) -> ConsoleResult {
        let resolvers = context.snapshot.resolvers
        let known = resolvers.all.flatMap { $0.findings.servers ?? [] }.map(\.backend)
        guard known.contains(where: { DrainedServers.means(server, $0) }) else {
            let names = Set(known.map(\.address.description)).sorted().prefix(Self.mostNamed)
            return .failed(
                ConsoleError(
                    .undefinedObject, "there is no server \"\(server)\"",
                    hint: names.isEmpty ? nil : "there are \(names.joined(separator: ", "))"))
        }
        guard resolvers.drain(server) else {
            return .failed(
                ConsoleError(.objectNotInPrerequisiteState, "server \"\(server)\" is drained already"))
        }
        return .done(tag: Self.name)
    }

    /// So many servers stand in a hint, if there are more.
    private static let mostNamed = 16
}
