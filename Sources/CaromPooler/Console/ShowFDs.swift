// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTCP

/// `SHOW FDS`: the descriptors of clients and servers. Secrets, which PgBouncer has there for its successor, are not told.
struct ShowFDs: ConsoleCommand {
    static let name = "SHOW FDS"
    static let needsAdmin = true

    static func parse(_ words: [ConsoleWord]) -> ShowFDs? {
        words.spell("show", "fds") ? ShowFDs() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.integer, ["fd"]), (.text, ["task", "user", "database", "addr"]), (.integer, ["port"]),
        (.bigInteger, ["cancel"]), (.integer, ["link"]),
        (.text, ["client_encoding", "std_strings", "datestyle", "timezone", "password"]),
        (.bytes, ["scram_client_key", "scram_server_key"]))

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.list(.descriptors)) }

    static func rows(_ found: ConsoleConnections) -> [[String?]] {
        (found.clients + found.servers).compactMap { socket in
            guard let descriptor = socket.facts?.descriptor else { return nil }
            let task =
                switch socket.side {
                case .client: "client"
                case .server: "server"
                }
            return [
                "\(descriptor)", task, socket.user, socket.database, socket.host,
                socket.port.map(String.init), nil, socket.link?.descriptor.map { "\($0)" }, nil, nil, nil,
                nil,
                nil, nil, nil,
            ]
        }
    }
}
