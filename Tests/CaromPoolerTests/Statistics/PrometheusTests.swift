// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Carom
@testable import CaromPooler

@Suite struct PrometheusTests {
    /// Samples without the comments, by their name and labels.
    private func samples(_ text: String) -> [String: String] {
        var samples: [String: String] = [:]
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            let cut = line.lastIndex(of: " ") ?? line.startIndex
            let row = String(line[..<cut])
            #expect(samples[row] == nil, "\(row) stands twice")
            samples[row] = String(line[cut...].dropFirst())
        }
        return samples
    }

    /// As many of each event as its number says.
    private static let counters = {
        var values = Counters.Values(queries: 5, transactions: 4, received: 3, sent: 2)
        for event in SessionEvent.allCases { values[event] = 100 + event.rawValue }
        for duration in [50_000, 64_000, 65_000, 100_000_000_000] as [UInt64] {
            values.queryTimes.add(nanoseconds: duration)
        }
        return values
    }()

    private static let everything = Sample.statistics(
        [
            Sample.route(
                "shop", "app", counters: [counters], statements: (71, 72),
                Sample.pool(
                    "shop.app",
                    [
                        Sample.backend(Sample.first),
                        // The same name at another address, and the same address under another name.
                        Sample.backend(
                            Backend(name: "db1", address: .ip("10.0.0.9", port: 5432)), state: .dead),
                        Sample.backend(Backend(name: "db9", address: .ip("10.0.0.1", port: 5432))),
                    ])),
            Sample.route("shop", "app", rule: "default.app"),
            Sample.route("shop", "ops", Sample.pool("shop.ops", [Sample.backend(Sample.second)])),
        ],
        limits: [
            QuotaUse(
                QuotaGroup("shared_pool", "few"), limit: 81, held: 82, pools: 83, waiting: 84,
                oldestWait: .milliseconds(8_500))
        ])

    @Test func bothFormatsHaveTheSameSamples() {
        let (new, old) = (Self.everything.prometheus, Self.everything.metrics(.text))
        #expect(samples(new) == samples(old))
        #expect(old.contains("# TYPE carom_build_info gauge\n") && !old.contains("# EOF"))
        #expect(old.contains("# TYPE carom_route_queries_total counter\n") && !old.contains("# UNIT"))
        #expect(old.contains("# TYPE carom_route_query_seconds histogram\n"))
        #expect(new.contains("# UNIT carom_route_query_seconds seconds\n"))
        #expect(!old.contains("stateset") && new.contains("stateset"))
    }

    @Test(arguments: [
        (nil, OpenMetrics.Dialect.text), ("*/*", .text), ("text/plain;version=0.0.4;q=0.3", .text),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", .openMetrics),
    ])
    func readersGetWhatTheyUnderstand(_ accept: String?, _ dialect: OpenMetrics.Dialect) {
        #expect(OpenMetrics.Dialect(accept: accept) == dialect)
    }

    @Test func numbersAreWhereTheyBelong() {
        let samples = samples(Self.everything.prometheus)
        let route = #"database="shop",user="app",rule="shop.app""#
        let backend = route + #",backend="db1",address="10.0.0.1:5432""#
        let expected = [
            #"carom_build_info{version="9.8.7"}"#: "1", "carom_start_time_seconds": "1700000000",
            "carom_workers": "2", "carom_log_lost_lines_total": "17",
            #"carom_refused_clients_total{reason="descriptors"}"#: "18",
            #"carom_refused_clients_total{reason="logins"}"#: "19",
            #"carom_refused_clients_total{reason="login_timeout"}"#: "20",
            #"carom_refused_clients_total{reason="failed_logins"}"#: "21",
            "carom_failed_logins_total": "22",
            #"carom_limit_servers{kind="shared_pool",name="few"}"#: "82",
            #"carom_limit_max_servers{kind="shared_pool",name="few"}"#: "81",
            #"carom_limit_waiting_routes{kind="shared_pool",name="few"}"#: "84",
            #"carom_limit_oldest_wait_seconds{kind="shared_pool",name="few"}"#: "8.5",
            #"carom_worker_clients{worker="0"}"#: "20",
            #"carom_clients{state="idle"}"#: "13",
            "carom_route_info{\(route),mode=\"transaction\"}": "1",
            "carom_route_queries_total{\(route)}": "5", "carom_route_transactions_total{\(route)}": "4",
            "carom_route_received_bytes_total{\(route)}": "3", "carom_route_sent_bytes_total{\(route)}": "2",
            "carom_route_query_seconds_bucket{\(route),le=\"6.4e-05\"}": "2",
            "carom_route_query_seconds_bucket{\(route),le=\"0.000128\"}": "3",
            "carom_route_query_seconds_bucket{\(route),le=\"67.108864\"}": "3",
            "carom_route_query_seconds_bucket{\(route),le=\"+Inf\"}": "4",
            "carom_route_query_seconds_count{\(route)}": "4",
            "carom_route_query_seconds_sum{\(route)}": "100.000179",
            "carom_route_transaction_seconds_count{\(route)}": "0",
            "carom_pool_claim_wait_seconds_bucket{\(route),le=\"2.097152\"}": "1",
            "carom_pool_claim_wait_seconds_bucket{\(route),le=\"1.048576\"}": "0",
            "carom_pool_connect_seconds_sum{\(route)}": "0.002",
            "carom_route_session_looks_total{\(route)}": "100",
            "carom_route_carried_settings_total{\(route)}": "101",
            "carom_route_resets_total{\(route),kind=\"soft\"}": "102",
            "carom_route_resets_total{\(route),kind=\"full\"}": "103",
            "carom_route_resets_total{\(route),kind=\"sequences\"}": "104",
            "carom_route_failed_resets_total{\(route)}": "105",
            "carom_route_pins_total{\(route),state=\"statements\"}": "106",
            "carom_route_pins_total{\(route),state=\"cursors\"}": "107",
            "carom_route_pins_total{\(route),state=\"channels\"}": "108",
            "carom_route_pins_total{\(route),state=\"locks\"}": "109",
            "carom_route_pins_total{\(route),state=\"temporary_tables\"}": "110",
            "carom_route_pins_total{\(route),state=\"unknown\"}": "111",
            "carom_route_parses_total{\(route),by=\"client\"}": "112",
            "carom_route_parses_total{\(route),by=\"pooler\"}": "113",
            "carom_route_reused_statements_total{\(route)}": "114",
            "carom_route_binds_total{\(route)}": "115",
            "carom_route_evicted_statements_total{\(route)}": "116",
            "carom_route_refused_parses_total{\(route)}": "117",
            "carom_route_logins_total{\(route)}": "118",
            "carom_route_timeouts_total{\(route),limit=\"query_timeout\"}": "119",
            "carom_route_timeouts_total{\(route),limit=\"transaction_timeout\"}": "120",
            "carom_route_timeouts_total{\(route),limit=\"idle_transaction_timeout\"}": "121",
            "carom_route_timeouts_total{\(route),limit=\"client_idle_timeout\"}": "122",
            "carom_route_timeouts_total{\(route),limit=\"cancel_timeout_ms\"}": "123",
            "carom_route_refused_transactions_total{\(route)}": "124",
            "carom_route_wait_notices_total{\(route)}": "125",
            "carom_route_retries_total{\(route)}": "126",
            "carom_route_statements{\(route)}": "71",
            "carom_prepared_statement_bytes": "73", "carom_prepared_statement_limit_bytes": "74",
            "carom_waiting_bytes": "75", "carom_waiting_limit_bytes": "76",
            "carom_route_statement_text_bytes{\(route)}": "72",
            "carom_pool_oldest_wait_seconds{\(route)}": "0.25",
            "carom_pool_wait_seconds_total{\(route)}": "1.5", "carom_pool_claims_total{\(route)}": "100",
            "carom_pool_state{\(route),carom_pool_state=\"running\"}": "1",
            "carom_pool_state{\(route),carom_pool_state=\"failed\"}": "0",
            "carom_backend_servers{\(backend),state=\"recycling\"}": "6",
            "carom_backend_state{\(backend),carom_backend_state=\"online\"}": "1",
            "carom_backend_role{\(backend),carom_backend_role=\"standby\"}": "1",
            "carom_backend_role{\(backend),carom_backend_role=\"primary\"}": "0",
            "carom_backend_overruled{\(backend)}": "1",
            "carom_backend_held_back{\(backend)}": "1",
            "carom_backend_lag_seconds{\(backend)}": "2.5",
            "carom_backend_claims_total{\(backend)}": "8",
            "carom_backend_authentication_failures_total{\(backend)}": "11",
            #"carom_backend_servers{database="shop",user="ops",rule="shop.ops",backend="db2",address="[fd00::2]:5433",state="idle"}"#:
                "2",
        ]
        for (row, value) in expected { #expect(samples[row] == value, "\(row)") }
    }

    @Test func everyMetricIsToldOnceAndBeforeItsRows() {
        let lines = Self.everything.prometheus.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.suffix(2) == ["# EOF", ""])
        var known: Set<Substring> = []
        var current: Substring = ""
        for line in lines.dropLast(2) {
            let words = line.split(separator: " ")
            switch (words[0], words[1]) {
            case ("#", "HELP"):
                #expect(known.insert(words[2]).inserted, "\(words[2]) is told twice")
                current = words[2]
                #expect(words.count > 3)
            case ("#", "TYPE"), ("#", "UNIT"): #expect(words[2] == current)
            default:
                let name = line.prefix { $0 != "{" && $0 != " " }
                let suffixes = ["", "_total", "_info", "_bucket", "_count", "_sum"]
                #expect(suffixes.map { current + $0 }.contains(String(name)))
            }
        }
        #expect(known.count > 40)
    }

    @Test func hostileNamesStayInTheirLabels() {
        let name = "a\"} 1\nb\\"
        let text = Sample.statistics([Sample.route(name, "u", rule: "r")]).prometheus
        #expect(text.contains(#"carom_route_queries_total{database="a\"} 1\nb\\",user="u",rule="r"} 0"#))
        _ = samples(text)
    }

    @Test func aPoolerWithoutRoutesIsDescribedToo() {
        let text = Sample.statistics([], clients: [0]).prometheus
        #expect(text.contains("carom_clients{state=\"login\"} 0\n"))
        #expect(!text.contains("carom_route"))
    }
}
