// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromReactor
import CaromTCP

/// A connection of a client or to a server, as the tables have it. What is nil is not known.
struct ConsoleSocket: Sendable {
    enum Side: String, Sendable {
        case client = "C"
        case server = "S"
    }

    let side: Side
    var user: String?
    /// As the client calls it, or as the server does.
    var database: String?
    var replication = StartupMessage.Replication.none
    /// As PgBouncer has it: `idle`, `active`, `waiting`, `tested`, `new`; `login` for a client that has not logged in.
    var state: String
    var host: String?
    var port: Int?
    var facts: TransportFacts?
    /// In seconds since 1970.
    var connectedAt: Int64?
    var wait = Duration.zero
    /// It is closed as soon as nobody needs it.
    var closesSoon = false
    /// The id that log lines have.
    var name: String?
    /// The id of the other side's connection, and its number in the process.
    var link: (name: String, descriptor: Int32?)?
    var remoteProcess: Int?
    var applicationName: String?
    var statements: Int?
    /// What `KILL_CLIENT` takes.
    var id: Int?
    /// Bytes that were read and not passed on, and those that the peer has not taken.
    var waitingBytes: (read: Int, unsent: Int)?

    /// The columns of `SHOW CLIENTS` and `SHOW SERVERS`.
    static let columns = ConsoleColumn.table(
        (.text, ["type", "user", "database", "replication", "state", "addr"]), (.integer, ["port"]),
        (.text, ["local_addr"]), (.integer, ["local_port"]), (.text, ["connect_time", "request_time"]),
        (.integer, ["wait", "wait_us", "close_needed"]), (.text, ["ptr", "link"]), (.integer, ["remote_pid"]),
        (.text, ["tls", "application_name"]), (.integer, ["prepared_statements", "id"]))

    /// The columns of `SHOW SOCKETS` and `SHOW ACTIVE_SOCKETS`.
    static let socketColumns =
        columns
        + ConsoleColumn.table(
            (
                .integer,
                [
                    "recv_pos", "pkt_pos", "pkt_remain", "send_pos", "send_remain", "pkt_avail", "send_avail",
                ]
            ))

    /// In the order of ``columns``.
    var row: [String?] { row(state: state) }

    /// In the order of ``socketColumns``. There are no buffers of its own in which a connection could have a position.
    var socketRow: [String?] {
        let prefix =
            switch side {
            case .client: "cl_"
            case .server: "sv_"
            }
        return row(state: prefix + (state == "new" ? "login" : state)) + [nil, nil, nil, nil, nil]
            + [waitingBytes?.read, waitingBytes?.unsent].map { $0.map(String.init) }
    }

    private func row(state: String) -> [String?] {
        let wait = ConsoleTime.parts(wait)
        let local = facts.map { $0.local.host.isEmpty ? "unix" : $0.local.host }
        return [
            side.rawValue, user, database, "\(replication)", state, host, port.map(String.init), local,
            facts.flatMap { $0.local.port == 0 ? nil : "\($0.local.port)" },
            connectedAt.map(ConsoleTime.text),
            nil, "\(wait.seconds)", "\(wait.microseconds)", closesSoon ? "1" : "0", name, link?.name,
            remoteProcess.map(String.init), facts.map { $0.encryption ?? "" }, applicationName,
            statements.map(String.init), id.map(String.init),
        ]
    }
}

/// Times as the tables have them.
enum ConsoleTime {
    /// `2023-11-14 22:13:20 UTC`
    static func text(_ seconds: Int64) -> String {
        var bytes: [UInt8] = []
        LogTime(seconds: seconds).appendTimestamp(withMilliseconds: false, to: &bytes)
        return String(decoding: bytes, as: UTF8.self).replacing("T", with: " ").replacing("Z", with: " UTC")
    }

    /// Whole seconds, and the microseconds above them.
    static func parts(_ duration: Duration) -> (seconds: Int64, microseconds: Int64) {
        let parts = duration.components
        return (parts.seconds, parts.attoseconds / 1_000_000_000_000)
    }
}
