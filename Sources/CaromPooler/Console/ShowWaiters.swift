// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// `SHOW WAITERS`: each client that waits for a server, for how long and for what.
struct ShowWaiters: ConsoleCommand {
    static let name = "SHOW WAITERS"

    static func parse(_ words: [ConsoleWord]) -> ShowWaiters? {
        words.spell("show", "waiters") ? ShowWaiters() : nil
    }

    let columns: [ConsoleColumn]? = ConsoleColumn.table(
        (.integer, ["id"]), (.text, ["user", "database", "addr"]), (.integer, ["port"]),
        (.text, ["application_name", "route"]), (.integer, ["place", "wait", "wait_us"]), (.text, ["reason"]))

    func run(_ context: ConsoleContext) -> ConsoleResult { .wait(.list(.waiters)) }

    static func rows(_ found: ConsoleConnections) -> [[String?]] {
        found.waiters.map { waiter in
            let socket = waiter.client.socket()
            let wait = ConsoleTime.parts(waiter.waited)
            return [
                "\(waiter.client.id)", socket.user, socket.database, socket.host,
                socket.port.map(String.init), socket.applicationName, waiter.route, "\(waiter.place)",
                "\(wait.seconds)", "\(wait.microseconds)", waiter.reason,
            ]
        }
    }
}
