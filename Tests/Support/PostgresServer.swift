// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Foundation

/// A real PostgreSQL server in a temporary directory, on a free port of 127.0.0.1 and on a Unix socket.
///
/// A watchdog process ends it and removes the directory, also when the tests crash.
package final class PostgresServer: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Where it listens on 127.0.0.1.
    package let port: UInt16
    /// Where the Unix socket is.
    package var socketPath: String { "\(folder)/.s.PGSQL.\(port)" }
    private let folder: String
    private let watchdog: Command
    /// The end of a pipe whose other end the watchdog reads.
    private let leash: Int32

    /// The roles besides `postgres`, one for each method of authentication, each with this password.
    package static let password = "s3cret é"

    /// Makes a database cluster and starts a server for it.
    package static func launch() async throws -> PostgresServer {
        try await Command.besides { try PostgresServer() }
    }

    private init() throws {
        folder = try Self.run("mktemp", ["-d", "/tmp/carom-postgres-XXXXXX"])
            .trimmingCharacters(in: .whitespacesAndNewlines)
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0, ends.allSatisfy({ fcntl($0, F_SETFD, FD_CLOEXEC) == 0 }) else {
            throw Failure(description: "no pipe can be made")
        }
        leash = ends[1]
        watchdog = try Self.watch(folder, ends[0])
        close(ends[0])
        do {
            try Self.run(
                try Self.tool("initdb"),
                [
                    "-D", "\(folder)/data", "--no-sync", "--auth=trust", "--username=postgres", "-E", "UTF8",
                    "--locale=C",
                ])
            try Self.configure(folder)
            port = try Self.start(folder, port: nil)
        } catch {
            Self.release(watchdog, leash)
            throw error
        }
    }

    /// Ends the server and removes all traces of it.
    package func stop() async {
        try? await Command.besides { [watchdog, leash] in Self.release(watchdog, leash) }
    }

    /// Ends the server at once, sessions included, as a crash would.
    package func crash() async throws {
        try await Command.besides { [folder] in
            _ = try Self.run(
                try Self.tool("pg_ctl"), ["-D", "\(folder)/data", "-m", "immediate", "-w", "stop"])
        }
    }

    /// Starts it again on the same port.
    package func restart() async throws {
        try await Command.besides { [folder, port] in _ = try Self.start(folder, port: port) }
    }

    // MARK: Making a cluster

    private static func configure(_ folder: String) throws {
        let settings = """

            listen_addresses = '127.0.0.1'
            unix_socket_directories = '\(folder)'
            fsync = off
            synchronous_commit = off
            full_page_writes = off
            shared_buffers = 16MB
            max_connections = 300
            max_wal_senders = 0
            wal_level = minimal
            log_min_messages = warning

            """
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: "\(folder)/data/postgresql.conf"))
        try file.seekToEnd()
        try file.write(contentsOf: Data(settings.utf8))
        try file.close()
        try run(
            try tool("postgres"), ["--single", "-D", "\(folder)/data", "postgres"],
            input: """
                set password_encryption = 'md5'
                create role with_md5 login password '\(password)'
                set password_encryption = 'scram-sha-256'
                create role with_clear login password '\(password)'
                create role with_scram login password '\(password)'
                create role with_trust login
                create role blocked login

                """)
        let rules = """
            all all with_clear password
            all all with_md5 md5
            all all with_scram scram-sha-256
            all all with_trust trust
            all all blocked reject
            all all postgres trust
            """
        let lines = rules.split(separator: "\n").flatMap { rule in
            let fields = rule.split(separator: " ")
            return ["local all \(fields[2]) \(fields[3])", "host all \(fields[2]) 127.0.0.1/32 \(fields[3])"]
        }
        try Data((lines.joined(separator: "\n") + "\n").utf8)
            .write(to: URL(fileURLWithPath: "\(folder)/data/pg_hba.conf"))
    }

    private static func start(_ folder: String, port: UInt16?) throws -> UInt16 {
        var last: any Error = Failure(description: "no port was tried")
        for _ in 0..<5 {
            let number = port ?? UInt16.random(in: 20_000...31_000)
            do {
                try run(
                    try tool("pg_ctl"),
                    [
                        "-D", "\(folder)/data", "-l", "\(folder)/log", "-o", "-p \(number)", "-w", "-t", "60",
                        "start",
                    ])
                return number
            } catch { last = error }
        }
        let log = (try? String(contentsOfFile: "\(folder)/log", encoding: .utf8)) ?? "no log"
        throw Failure(description: "PostgreSQL did not start: \(last)\n\(log)")
    }

    // MARK: Processes

    /// Waits for the other end of `leash` to be closed, also by our death, then stops the server by its process number.
    private static func watch(_ folder: String, _ leash: Int32) throws -> Command {
        let script = """
            trap '' INT TERM HUP
            read -r line
            pid="$1/data/postmaster.pid"
            for signal in INT QUIT KILL; do
                test -e "$pid" && kill -$signal "$(head -n 1 "$pid")"
                turns=0
                while test -e "$pid" && test $turns -lt 200; do sleep 0.05; turns=$((turns + 1)); done
            done
            rm -rf "$1"
            """
        let nothing = open("/dev/null", O_WRONLY | O_CLOEXEC)
        defer { close(nothing) }
        return try Command(["/bin/sh", "-c", script, "watchdog", folder], input: leash, output: nothing)
    }

    private static func release(_ watchdog: Command, _ leash: Int32) {
        close(leash)
        _ = watchdog.wait()
    }

    private static func tool(_ name: String) throws -> String {
        let files = FileManager.default
        let versions = (try? files.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let folders =
            versions.sorted { (Int($0) ?? 0) > (Int($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }
            + (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        for folder in folders where files.isExecutableFile(atPath: "\(folder)/\(name)") {
            return "\(folder)/\(name)"
        }
        throw Failure(
            description:
                "\(name) is not installed: these tests need a PostgreSQL server (Debian: apt-get install postgresql)"
        )
    }

    /// Runs a program to its end, as the user `postgres` if we are root, whom PostgreSQL refuses.
    @discardableResult
    private static func run(_ program: String, _ arguments: [String], input: String = "") throws -> String {
        let prefix = geteuid() == 0 ? ["runuser", "-u", "postgres", "--"] : []
        return try Command.run(["env", "-C", "/"] + prefix + [program] + arguments, input: input)
    }
}
