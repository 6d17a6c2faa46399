// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgresProtocol
import Testing

@testable import CaromPooler

/// The tables of `SHOW`, which readers of PgBouncer's take apart by name and type.
@Suite struct ConsoleTablesTests {
    /// Columns as PgBouncer 1.25 has them, and our own: text, integer, big integer, numeric, bytes.
    static let columns = [
        "active_sockets": """
        type t, user t, database t, replication t, state t, addr t, port i, local_addr t, local_port i, connect_time t, \
        request_time t, wait i, wait_us i, close_needed i, ptr t, link t, remote_pid i, tls t, application_name t, \
        prepared_statements i, id i, recv_pos i, pkt_pos i, pkt_remain i, send_pos i, send_remain i, pkt_avail i, send_avail i
        """,
        "backends": """
        database t, user t, route t, name t, addr t, state t, role t, priority i, weight i, wanted i, sv_active i, sv_idle i, \
        sv_tested i, sv_login i, sv_closing i, claims b, connects b, failed_connects b, authentication_failures b, \
        last_error t, lag t, held_back t
        """,
        "channels": """
        database t, user t, channel t, listeners i, messages b, server t, losses i
        """,
        "clients": """
        type t, user t, database t, replication t, state t, addr t, port i, local_addr t, local_port i, connect_time t, \
        request_time t, wait i, wait_us i, close_needed i, ptr t, link t, remote_pid i, tls t, application_name t, \
        prepared_statements i, id i
        """,
        "config": "key t, value t, default t, changeable t",
        "databases": """
        name t, host t, port i, database t, force_user t, pool_size i, min_pool_size i, reserve_pool_size i, \
        server_lifetime i, pool_mode t, load_balance_hosts t, max_connections i, current_connections i, \
        max_client_connections i, current_client_connections i, paused i, disabled i
        """,
        "dns_hosts": "hostname t, ttl b, addrs t",
        "dns_zones": "zonename t, serial b, count i",
        "errors": "error_type t, count b",
        "errors_per_route": "error_type t, user t, database t, count b",
        "fds": """
        fd i, task t, user t, database t, addr t, port i, cancel b, link i, client_encoding t, std_strings t, \
        datestyle t, timezone t, password t, scram_client_key y, scram_server_key y
        """,
        "limits":
            "kind t, name t, max_servers i, servers i, routes i, waiting_routes i, maxwait i, maxwait_us i",
        "listen": "host t, port i, tls t, tls_cert_file t, tls_key_file t, tls_ca_file t, tls_protocols t",
        "lists": "list t, items i",
        "mem": "name t, size i, used i, free i, memtotal i",
        "peer_pools": """
        peer_id i, cl_active_cancel_req i, cl_waiting_cancel_req i, sv_active_cancel i, sv_login i
        """,
        "peers": "peer_id i, host t, port i, pool_size i",
        "pools": """
        database t, user t, cl_active i, cl_waiting i, cl_active_cancel_req i, cl_waiting_cancel_req i, sv_active i, \
        sv_active_cancel i, sv_being_canceled i, sv_idle i, sv_used i, sv_tested i, sv_login i, maxwait i, \
        maxwait_us i, pool_mode t, load_balance_hosts t
        """,
        "pools_extended": """
        database t, user t, cl_active i, cl_waiting i, cl_active_cancel_req i, cl_waiting_cancel_req i, sv_active i, \
        sv_active_cancel i, sv_being_canceled i, sv_idle i, sv_used i, sv_tested i, sv_login i, maxwait i, \
        maxwait_us i, pool_mode t, load_balance_hosts t, bytes_received b, bytes_sent b, tcp_conn_count b
        """,
        "prepared_statements": "database t, user t, route t, name t, bytes i, query t",
        "resolvers": """
        resolver t, type t, name t, addr t, state t, since b, ttl b, priority i, weight i, sv_active i, sv_idle i, \
        sv_tested i, sv_login i, sv_closing i, claims b, connects b, failed_connects b, last_error t, source t, \
        failures i, trouble t
        """,
        "routes": """
        database t, user t, route t, pool_mode t, clients i, logins b, retries b, wait_notices b, timeouts b, \
        refused_transactions b
        """,
        "rules": """
        database t, user t, address t, connection_type t, obsolete t, authentication t, storage t, pool_mode t, clients i
        """,
        "storages": """
        type t, host t, port i, tls t, tls_cert_file t, tls_key_file t, tls_ca_file t, tls_protocols t, name t
        """,
        "servers": """
        type t, user t, database t, replication t, state t, addr t, port i, local_addr t, local_port i, connect_time t, \
        request_time t, wait i, wait_us i, close_needed i, ptr t, link t, remote_pid i, tls t, application_name t, \
        prepared_statements i, id i
        """,
        "sockets": """
        type t, user t, database t, replication t, state t, addr t, port i, local_addr t, local_port i, connect_time t, \
        request_time t, wait i, wait_us i, close_needed i, ptr t, link t, remote_pid i, tls t, application_name t, \
        prepared_statements i, id i, recv_pos i, pkt_pos i, pkt_remain i, send_pos i, send_remain i, pkt_avail i, send_avail i
        """,
        "state": "key t, value t",
        "stats": """
        database t, total_server_assignment_count n, total_xact_count n, total_query_count n, total_received n, \
        total_sent n, total_xact_time n, total_query_time n, total_wait_time n, total_client_parse_count n, \
        total_server_parse_count n, total_bind_count n, total_client_login_count n, \
        avg_server_assignment_count n, avg_xact_count n, avg_query_count n, avg_recv n, avg_sent n, \
        avg_xact_time n, avg_query_time n, avg_wait_time n, avg_client_parse_count n, avg_server_parse_count n, \
        avg_bind_count n, avg_client_login_count n
        """,
        "stats_averages": """
        database t, server_assignment_count n, xact_count n, query_count n, bytes_received n, bytes_sent n, \
        xact_time n, query_time n, wait_time n, avg_client_parse_count n, avg_server_parse_count n, \
        avg_bind_count n, avg_client_login_count n
        """,
        "stats_totals": """
        database t, server_assignment_count n, xact_count n, query_count n, bytes_received n, bytes_sent n, \
        xact_time n, query_time n, wait_time n, client_parse_count n, server_parse_count n, bind_count n, \
        client_login_count n
        """,
        "totals": "name t, value n",
        "users": """
        name t, pool_size t, reserve_pool_size t, pool_mode t, max_user_connections i, current_connections i, \
        max_user_client_connections i, current_client_connections i
        """,
        "version": "version t",
        "version_extended": "version t, build_type t, compiler t, compiler_version t, arch t",
        "waiters": """
        id i, user t, database t, addr t, port i, application_name t, route t, place i, wait i, wait_us i, reason t
        """,
    ]

    private static let shop = """
        database "shop" {
            user "app" { authentication "none" storage "pg" pool "transaction" pool_size 8 reserve_pool_size 5 client_max 3 }
            user "ops" { authentication "none" storage "pg" pool "transaction" max_user_client_connections 0 pool_size 2 min_pool_size 1 client_max 4 }
            user "root" { authentication "none" storage "pg" storage_user "postgres" pool "session" }
        }
        max_db_client_connections 9 max_user_client_connections 6
        """

    private static func counters(_ factor: Int) -> Counters.Values {
        var values = Counters.Values(
            queries: 5 * factor, transactions: 4 * factor, received: 30 * factor, sent: 20 * factor)
        values.queryTimes = durations(5 * factor, milliseconds: 3)
        values.transactionTimes = durations(4 * factor, milliseconds: 20)
        values[.clientParse] = 7 * factor
        values[.poolerParse] = 2 * factor
        values[.bind] = 11 * factor
        values[.login] = 13 * factor
        return values
    }

    private static func durations(_ count: Int, milliseconds: UInt64) -> DurationHistogram {
        var durations = DurationHistogram()
        for _ in 0..<count { durations.add(nanoseconds: milliseconds * 1_000_000) }
        return durations
    }

    /// The shop at one moment, with two routes to one database and user.
    private static func statistics(_ factor: Int, at seconds: Int) -> PoolerStatistics {
        let pool = Sample.pool("shop.app", [Sample.backend(Sample.first)], waiting: 2)
        return Sample.statistics(
            [
                Sample.route("shop", "app", counters: [counters(factor)], pool),
                Sample.route("shop", "app", rule: "default.app", counters: [counters(factor)]),
                Sample.route("bank", "app", counters: [counters(factor)]),
            ], consoleClients: 2, at: seconds)
    }

    private static func table(_ name: String, _ context: ConsoleContext) -> [String] {
        var conversation = ConsoleConversation(context)
        conversation.send(ClientMessage.query("show \(name)"))
        return conversation.lines.filter { $0.hasPrefix("D ") }.map { String($0.dropFirst(2)) }
    }

    private static var context: ConsoleContext {
        Sample.console(statistics(3, at: 2), before: statistics(1, at: 0), routes: shop)
    }

    @Test(arguments: columns.keys.sorted())
    func theColumnsAreThoseOfPgBouncer(_ name: String) throws {
        var conversation = ConsoleConversation(Self.context)
        conversation.send(ClientMessage.query("SHOW \(name.uppercased())"))
        let line = try #require(conversation.lines.first)
        let types = ["25": "t", "23": "i", "20": "b", "1700": "n", "17": "y"]
        let found = line.dropFirst(2).split(separator: "|").map { column in
            let parts = column.split(separator: ":")
            return "\(parts[0]) \(types[String(parts[1])] ?? "?")"
        }
        #expect(found.joined(separator: ", ") == Self.columns[name])
        conversation.finish(.table([]))
        #expect(conversation.lines.suffix(2) == ["C SHOW", "Z idle"])
    }

    @Test func everyTableIsAmongThem() {
        let tables = ConsoleCommands.all.map { $0.name }.filter { $0.hasPrefix("SHOW ") && $0 != "SHOW HELP" }
        #expect(Set(tables.map { $0.dropFirst(5).lowercased() }) == Set(Self.columns.keys))
    }

    @Test func whatDatabasesHaveDoneIsSummedOverTheirRoutes() {
        #expect(
            Self.table("stats_totals", Self.context) == [
                "bank|100|12|15|90|60|240000|45000|1500000|21|27|33|39",
                "shop|200|24|30|180|120|480000|90000|3000000|42|54|66|78",
            ])
        #expect(
            Self.table("stats_averages", Self.context) == [
                "bank|0|4|5|30|20|20000|3000|0|7|9|11|13", "shop|0|8|10|60|40|20000|3000|0|14|18|22|26",
            ])
        #expect(
            Self.table("stats", Self.context)[0]
                == "bank|100|12|15|90|60|240000|45000|1500000|21|27|33|39|0|4|5|30|20|20000|3000|0|7|9|11|13")
        let totals = Self.table("totals", Self.context)
        #expect(totals.count == 24)
        #expect(totals[1] == "total_xact_count|36" && totals[3] == "total_client_bytes|270")
        #expect(totals[13] == "avg_xact_count|12" && totals[17] == "avg_xact_time|20000")
    }

    @Test func beforeTheFirstPeriodIsOverThereAreNoAverages() {
        let context = Sample.console(Self.statistics(3, at: 2))
        #expect(Self.table("stats_averages", context)[0] == "bank" + String(repeating: "|null", count: 12))
    }

    @Test func noTwoPoolsHaveTheSameDatabaseAndUser() {
        #expect(
            Self.table("pools", Self.context) == [
                "bank|app|10|0|null|null|0|null|null|0|0|0|0|0|250000|transaction|null",
                "shop|app|15|5|null|null|4|null|null|2|0|14|1|0|250000|transaction|null",
                "console|console|2|0|null|null|0|null|null|0|0|0|0|0|0|null|null",
            ])
    }

    @Test func databasesThatOnlyNumbersTellApartAreOne() {
        #expect(
            Self.table("databases", Self.context) == [
                "console|null|null|console|null|0|0|0|null|null|null|0|0|0|0|0|0",
                "shop|10.0.0.1|5433|null|null|10|1|5|3600|transaction|null|10|28|9|10|0|0",
                "shop|10.0.0.1|5433|null|postgres|0|0|0|3600|session|null|0|0|9|0|0|0",
            ])
    }

    @Test func usersAreThoseOfServersAndOfTheConfiguration() {
        #expect(
            Self.table("users", Self.context) == [
                "admin|null|null|null|0|0|6|0", "app|null|null|null|0|84|6|30",
                "guest|null|null|null|0|0|6|1",
                "ops|null|null|null|0|0|0|0", "postgres|null|null|null|0|0|6|0",
            ])
    }

    @Test func limitsAreThoseThatRoutesShare() {
        let limits = [
            QuotaUse(QuotaGroup("user", "ann"), limit: 5, held: 4, pools: 3),
            QuotaUse(
                QuotaGroup("storage", "pg"), limit: 9, held: 8, pools: 7, waiting: 6,
                oldestWait: .microseconds(2_000_003)),
        ]
        let rows = Self.table("limits", Sample.console(Sample.statistics([], limits: limits)))
        #expect(rows == ["storage|pg|9|8|7|6|2|3", "user|ann|5|4|3|0|0|0"])
    }

    @Test func listsCount() {
        #expect(
            Self.table("lists", Self.context) == [
                "databases|2", "users|4", "peers|0", "pools|3", "peer_pools|0", "free_clients|0",
                "used_clients|32", "login_clients|0", "free_servers|2", "used_servers|4", "dns_names|0",
                "dns_zones|0", "dns_queries|0", "dns_pending|0",
            ])
    }

    @Test func theConfigurationIsInOrderAndHasTheLimitsThatReadersLookFor() {
        let rows = Self.table("config", Self.context)
        let keys = rows.map { $0.prefix { $0 != "|" } }
        #expect(
            keys == keys.sorted() && rows.contains("client_max|0|0|yes") && rows.contains("workers|1|1|no"))
        #expect(rows.contains("max_client_conn|0|0|yes") && rows.contains("max_user_connections|0|0|yes"))
    }

    @Test func backendsAreThoseOfEachRoute() {
        let line =
            "shop|app|shop.app|db1|10.0.0.1:5432|online|overruled|0|1|30|4|2|14|1|7|8|9|10|11|it \"broke\"|2.5|lags"
        #expect(Self.table("backends", Self.context) == [line])
    }

    @Test func memoryThatIsAccountedFor() {
        let rows = Self.table("mem", Self.context)
        let size = Self.context.snapshot.bufferSize
        #expect(rows[0] == "read_buffers|\(size)|2|0|\(2 * size)")
        #expect(rows[1] == "prepared_statements|null|0|1|73")
        #expect(rows[2] == "waiting_bytes|null|null|1|75")
        #expect(rows[3].hasPrefix("process|null|") && rows.count == 4)
    }

    @Test func howItWasBuilt() throws {
        let row = try #require(Self.table("version_extended", Self.context).first).split(separator: "|")
        #expect(row.prefix(3) == ["Carom 9.8.7", "debug", "Swift"] && row.count == 5)
        #expect(row[3].hasPrefix("6.") && ["x86_64", "aarch64"].contains(row[4]))
    }

    @Test func thePoolerWorks() {
        #expect(Self.table("state", Self.context) == ["active|yes", "paused|no", "suspended|no"])
    }

    @Test func numbersCanBeHadInBinary() {
        #expect(ConsoleColumn("a", .integer).encoded("258", format: .binary) == [0, 0, 1, 2])
        #expect(
            ConsoleColumn("a", .bigInteger).encoded("-1", format: .binary) == Array(repeating: 255, count: 8))
        #expect(ConsoleColumn("a", .text).encoded("12", format: .binary) == [49, 50])
        #expect(ConsoleColumn("a", .numeric).encoded("12", format: .text) == [49, 50])
    }

    /// As PostgreSQL 15 sends them.
    @Test(arguments: [
        ("0", [0, 0, 0, 0]), ("1", [1, 0, 0, 0, 1]), ("9999", [1, 0, 0, 0, 9_999]),
        ("10000", [1, 1, 0, 0, 1]),
        ("1234567890", [3, 2, 0, 0, 12, 3_456, 7_890]), ("-20001", [2, 1, 0x4000, 0, 2, 1]),
    ])
    func aNumericIsDigitsToTheBaseOfTenThousand(_ text: String, _ words: [UInt16]) {
        let bytes = words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
        #expect(ConsoleColumn("a", .numeric).encoded(text, format: .binary) == bytes)
    }
}
