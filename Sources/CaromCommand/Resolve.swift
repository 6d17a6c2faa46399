// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CaromConfiguration
import CaromPooler
import Glibc

/// `carom resolve FILE [NAME]`: says what resolvers see now.
struct Resolve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print the servers that the resolvers of a configuration find.",
        discussion: """
            For each server its address, priority and weight, for how long that is known, and how it was learnt. Resolvers \
            ask as they do in the pooler, and of nobody else: no server is connected to.

            Exit code 0: every resolver finds a server. 1: the configuration is not valid, or there is no such name. 2: a \
            resolver finds none, or has no answer in time. With --watch it goes on until it is interrupted.
            """)

    @OptionGroup var argument: ConfigurationArgument

    @Argument(help: "A resolver, or a storage. Without it all of them.")
    var name: String?

    @Flag(help: "Go on, and print every change.")
    var watch = false

    @Option(help: "Seconds to wait for the first answers, 1 to 3600.")
    var timeout = 10

    func validate() throws {
        guard (1...3600).contains(timeout) else {
            throw ValidationError("--timeout must be from 1 to 3600, not \(timeout)")
        }
    }

    private enum Event: Sendable {
        case look
        case timeIsOver
    }

    func run() async throws {
        let settings = try ConfigurationArgument.load(argument.file)
        let preview: ResolverPreview
        do {
            // What is wrong stands in the reports.
            let log = PoolerLog(settings, writer: try LogWriter(descriptors: []))
            preview = try ResolverPreview(settings, name: name, log: log)
        } catch {
            complain("carom: \(error)")
            throw ExitCode(1)
        }
        let (events, continuation) = AsyncStream.makeStream(of: Event.self)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await preview.run { continuation.yield(.look) } }
            // That an attempt has failed is seen only by looking.
            group.addTask {
                while (try? await Task.sleep(for: .milliseconds(100))) != nil { continuation.yield(.look) }
            }
            group.addTask { [timeout] in
                if (try? await Task.sleep(for: .seconds(timeout))) != nil { continuation.yield(.timeIsOver) }
            }
            await follow(events, preview)
            group.cancelAll()
        }
        if preview.reports.contains(where: { $0.servers?.isEmpty ?? true }) { throw ExitCode(2) }
    }

    /// Prints what is known once all have spoken or the time is over, and after that, if wanted, every change.
    private func follow(_ events: AsyncStream<Event>, _ preview: ResolverPreview) async {
        var told: [ResolverReport]?
        for await event in events {
            let reports = preview.reports
            if let told {
                for (old, new) in zip(told, reports) { for line in new.changes(since: old) { print(line) } }
            } else if event == .timeIsOver || reports.allSatisfy(\.isSettled) {
                print(reports.map(\.text).joined(separator: "\n\n"))
            } else {
                continue
            }
            told = reports
            fflush(nil)
            if !watch { return }
        }
    }
}
