// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration

/// All that can be told of the running pooler, taken at one instant.
///
/// Log lines, the console's tables, the Prometheus text and the JSON are renderings of this value, so they cannot contradict
/// one another.
struct PoolerStatistics: Sendable {
    /// The process itself.
    struct Process: Equatable, Sendable {
        /// The version, without a name.
        var version: String
        /// When it was made, in seconds since 1970.
        var startedAt: Int64
        /// Threads that serve clients.
        var workers: Int

        init(version: String = CaromVersion.number, startedAt: Int64, workers: Int) {
            self.version = version
            self.startedAt = startedAt
            self.workers = workers
        }
    }

    /// Clients by what they are doing.
    struct Clients: Equatable, Sendable {
        /// Not logged in yet, or on their way out.
        var login = 0
        /// Logged in, without a server and without a wish for one.
        var idle = 0
        /// In the queue for a server.
        var waiting = 0
        /// Holding a server.
        var active = 0
        /// At the console.
        var console = 0

        var total: Int { login + idle + waiting + active + console }

        /// With the names that renderings use.
        var byState: [(state: String, count: Int)] {
            [
                ("login", login), ("idle", idle), ("waiting", waiting), ("active", active),
                ("console", console),
            ]
        }
    }

    /// Clients that were sent away before they had logged in, since the start.
    struct Refusals: Equatable, Sendable {
        /// For want of descriptors.
        var descriptors = 0
        /// For the sake of others that had not logged in either (`client_max_routing`).
        var logins = 0
        /// For having taken too long (`client_login_timeout`).
        var lateLogins = 0
        /// For failed logins of others from the same address (`auth_failure_limit`), and how many of these there were.
        var afterFailures = 0
        var failedLogins = 0
    }

    /// Connections to servers by what they are doing.
    struct Servers: Equatable, Sendable {
        var connecting = 0
        /// Ready for a client.
        var idle = 0
        /// Being prepared for a client.
        var acquiring = 0
        /// Held by a client.
        var active = 0
        /// Idle and being asked whether they are alive.
        var checking = 0
        /// Being made clean after a client.
        var recycling = 0
        var closing = 0

        var total: Int { connecting + idle + acquiring + active + checking + recycling + closing }

        /// With the names that renderings use.
        var byState: [(state: String, count: Int)] {
            [
                ("connecting", connecting), ("idle", idle), ("acquiring", acquiring), ("active", active),
                ("checking", checking), ("recycling", recycling), ("closing", closing),
            ]
        }
    }

    /// A live route: its clients, and the pool that serves them.
    struct Route: Sendable {
        /// What the server calls the database and the user.
        var database: String
        var user: String
        /// The route of the configuration, `database.user`. The same database and user can be reached by several.
        var rule: String
        var mode: PoolingMode
        var clients: Clients
        var counters: Counters.Values
        /// Prepared statements that its clients have, and the bytes of their texts; nothing in session pooling.
        var statements: (count: Int, bytes: Int)
        /// Its name is unique among the routes.
        var pool: PoolStats
        /// How far its servers lag, where that is known.
        var lags: [BackendID: Duration]
        /// What its clients listen to while their servers are pooled.
        var channels: ChannelHub.Report

        var name: String { pool.name }
        var servers: Servers { Servers(pool.backends) }
    }

    /// Monotonic time at which it was taken, for rates between two of them.
    var takenAt: Duration
    var process: Process
    /// Clients of all routes, of the console, and those that have no route yet.
    var clients: Clients
    /// Clients connected to each worker.
    var clientsByWorker: [Int]
    /// Clients of servers by the user they came as, those that have any.
    var clientsByUser: [String: Int]
    /// By database, user and rule.
    var routes: [Route]
    /// Limits of servers that routes share, by kind and name.
    var limits: [QuotaUse]
    /// Lines of the log that were lost since the start: nobody took them in time, or they could not be written.
    var lostLogLines: Int
    /// What clients' prepared statements take of memory, and what they may; nil for any amount.
    var statementMemory: (bytes: Int, limit: Int?)
    /// What waits in buffers, and what may (`memory_limit`); nil for any amount.
    var bufferMemory: (bytes: Int, limit: Int?)
    var refusals: Refusals

    /// Servers of all routes.
    var servers: Servers { Servers(routes.flatMap(\.pool.backends)) }
}

extension PoolerStatistics.Servers {
    /// The connections of these backends.
    init(_ backends: [PoolStats.BackendStats]) {
        for backend in backends {
            connecting += backend.connecting
            idle += backend.idle
            acquiring += backend.acquiring
            active += backend.claimed
            checking += backend.checking
            recycling += backend.recycling
            closing += backend.closing
        }
    }
}
