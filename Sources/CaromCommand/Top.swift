// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
import Carom
import CaromReactor
import CaromStats
public import CaromTop
import Glibc

/// `carom top URL`: a live table of a service's pools.
struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch the backends of a running service.",
        discussion: """
            URL is where the service serves its statistics, for example http://127.0.0.1:42069; without a path it is \
            /qtop/stats. Any stream with qtop's JSON will do; one of Carom's shows states, waits and holds as well.

            Keys: q quits; n, s, o, i, l, k, c, w, h sort by name, state, connecting, idle, claimed, checking, claims a \
            second, wait and hold; r turns the order round.

            Exit code 0 when it was told to quit, 1 when there is no stream.
            """)

    @Argument(help: "Where the statistics are.")
    var url: String

    @Option(name: [.short, .customLong("interval")], help: "Seconds between updates, 1 to 255.")
    var interval: UInt8 = 1

    @Option(help: "What to sort by: \(StatsTable.Order.allCases.map(\.rawValue).joined(separator: ", ")).")
    var sort: StatsTable.Order = .name

    @Flag(help: "Print the table once and exit.")
    var once = false

    @Flag(help: "Print the messages as JSON, one a line.")
    var json = false

    func validate() throws {
        guard interval > 0 else { throw ValidationError("--interval must be from 1 to 255, not 0") }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        do {
            let stream = try StatsURL(url).updating(every: interval)
            let reactor = try Reactor(name: "top")
            try reactor.start()
            defer { reactor.stop() }
            if json {
                try await printJSON(stream, reactor)
            } else if once {
                try await printTable(stream, reactor)
            } else {
                var live = TopLive(url: stream, reactor: reactor, order: sort)
                try await live.run()
            }
        } catch {
            complain("carom: \(error)")
            throw ExitCode(1)
        }
    }

    /// The messages as they come; one, with `--once`.
    private func printJSON(_ stream: StatsURL, _ reactor: Reactor) async throws(StatsClientError) {
        var client = try await StatsClient.open(stream, on: reactor)
        while true {
            guard let message = try await client.next(timeout: .seconds(Int(interval) + 10)) else { break }
            // What is no message of a stream is not passed on.
            _ = try StatsFrame(json: message)
            print(String(decoding: message, as: UTF8.self))
            fflush(nil)
            if once { break }
        }
        await client.close()
    }

    /// The table after the second regular message: rates need two.
    private func printTable(_ stream: StatsURL, _ reactor: Reactor) async throws(StatsClientError) {
        var client = try await StatsClient.open(stream, on: reactor)
        var table = StatsTable()
        while !table.hasRates {
            guard let message = try await client.next(timeout: .seconds(Int(interval) + 10)) else { break }
            table.update(try StatsFrame(json: message), at: SystemPoolClock().now)
        }
        await client.close()
        for line in table.lines(width: 132, order: sort, styled: false) { print(line) }
    }
}

extension StatsTable.Order: ExpressibleByArgument {}
