// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Carom
import CaromDNS
import Glibc

/// `carom-echo-workload`: claims connections to echo servers, sends a line over each, holds them for a while.
@main
struct EchoWorkload: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "carom-echo-workload",
        abstract: "A load for echo servers that are found through DNS.",
        discussion: """
            Live, it shows the pool and the claimers. Tab adds a claimer, Shift-Tab removes the selected one, Up and Down \
            select, Left and Right change how long the selected one holds its connections, q quits.

            With --headless it runs for a time and reports. Exit code 0; 1 if it could not start.
            """)

    @Option(help: "The service to look up: its SRV records name hosts and ports.")
    var service = "_echo._tcp.example.com"

    @Option(
        help: ArgumentHelp("A nameserver, address or address:port; may be repeated.", valueName: "address"))
    var nameserver: [String] = []

    @Option(
        help: ArgumentHelp(
            "Fixed addresses with ports, separated by commas, instead of DNS.", valueName: "list"))
    var backends: String?

    @Option(help: "Answers in a row that must lack a server before it is given up.")
    var removalAnswers = 2

    @Option(help: "Claimers at the start.")
    var claimers = 1

    @Option(help: "Milliseconds a claimer holds a connection at the start, at least 100.")
    var hold = 1000

    @Option(help: "Connections in all.")
    var maxSlots = 64

    @Option(help: "The port for statistics on 127.0.0.1; 0 lets the kernel choose.")
    var statsPort: UInt16 = 42069

    @Flag(help: "Run without a terminal and report at the end.")
    var headless = false

    @Option(help: "Seconds to run headless.")
    var duration = 10

    @Flag(help: "Report as JSON.")
    var json = false

    func validate() throws {
        guard hold >= 100 else { throw ValidationError("--hold must be at least 100 ms, not \(hold)") }
        guard claimers >= 0 else { throw ValidationError("--claimers must not be negative") }
        guard duration > 0 else { throw ValidationError("--duration must be at least a second") }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        do {
            let workload = try Workload(resolver: try resolver(), maxSlots: maxSlots, statsPort: statsPort)
            if headless {
                try await HeadlessRun(
                    workload: workload, claimers: claimers, hold: .milliseconds(hold), seconds: duration
                )
                .run(json: json)
            } else {
                try await LiveRun(workload: workload).run(claimers: claimers, hold: .milliseconds(hold))
            }
        } catch {
            let line = Array("carom-echo-workload: \(error)\n".utf8)
            _ = line.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
            throw ExitCode(1)
        }
    }

    private func resolver() throws -> any Resolver {
        if let backends { return try StaticResolver(parsing: backends) }
        var configuration = DNSConfiguration(.service(service))
        if !nameserver.isEmpty {
            configuration.servers = .fixed(try nameserver.map(DNSServer.init(parsing:)))
        }
        // Quick to show changes; the defaults are slower and kinder to nameservers.
        configuration.timeToLive = .seconds(1) ... .seconds(300)
        configuration.retryDelay = .seconds(1) ... .seconds(5)
        configuration.timeout = .seconds(1)
        configuration.removal = DNSRemovalRule(
            answers: removalAnswers, answersForMost: removalAnswers + 1, spacing: .milliseconds(500))
        return try DNSResolver(configuration)
    }
}
