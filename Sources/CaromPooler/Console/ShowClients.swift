// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW CLIENTS`: each client that has logged in, the console's included.
struct ShowClients: ConsoleCommand {
    static let name = "SHOW CLIENTS"

    static func parse(_ words: [ConsoleWord]) -> ShowClients? {
        words.spell("show", "clients") ? ShowClients() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.text, ["type", "user", "database", "replication", "state", "addr"]), (.integer, ["port"]),
        (.text, ["local_addr"]), (.integer, ["local_port"]), (.text, ["connect_time", "request_time"]),
        (.integer, ["wait", "wait_us", "close_needed"]), (.text, ["ptr", "link"]), (.integer, ["remote_pid"]),
        (.text, ["tls", "application_name"]), (.integer, ["prepared_statements", "id"]))

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.clients) }
}
