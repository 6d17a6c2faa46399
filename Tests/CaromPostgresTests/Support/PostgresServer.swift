// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization

/// A real PostgreSQL server in a temporary directory, on a free port of 127.0.0.1 and on a Unix socket.
///
/// A watchdog process ends it and removes the directory, also when the tests crash.
final class PostgresServer: Sendable {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Where it listens on 127.0.0.1.
    let port: UInt16
    /// Where the Unix socket is.
    var socketPath: String { "\(folder)/.s.PGSQL.\(port)" }
    private let folder: String
    private let watchdog: Process
    private let leash = Pipe()

    /// The roles besides `postgres`, one for each method of authentication, each with this password.
    static let password = "s3cret é"

    /// Makes a database cluster and starts a server for it.
    init() throws {
        folder = try Self.run("mktemp", ["-d", "/tmp/carom-postgres-XXXXXX"])
            .trimmingCharacters(in: .whitespacesAndNewlines)
        watchdog = try Self.watch(folder, leash)
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
    func stop() { Self.release(watchdog, leash) }

    /// Ends the server at once, sessions included, as a crash would.
    func crash() throws {
        try Self.run(try Self.tool("pg_ctl"), ["-D", "\(folder)/data", "-m", "immediate", "-w", "stop"])
    }

    /// Starts it again on the same port.
    func restart() throws { _ = try Self.start(folder, port: port) }

    // MARK: Making a cluster

    private static func configure(_ folder: String) throws {
        let settings = """

            listen_addresses = '127.0.0.1'
            unix_socket_directories = '\(folder)'
            fsync = off
            synchronous_commit = off
            full_page_writes = off
            shared_buffers = 16MB
            max_connections = 60
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

    /// Waits for a line or for the end of this process, then stops the server by its process number.
    private static func watch(_ folder: String, _ leash: Pipe) throws -> Process {
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
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script, "watchdog", folder]
        process.standardInput = leash
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    private static func release(_ watchdog: Process, _ leash: Pipe) {
        try? leash.fileHandleForWriting.write(contentsOf: Data("stop\n".utf8))
        try? leash.fileHandleForWriting.close()
        watchdog.waitUntilExit()
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
        var command = [program] + arguments
        if geteuid() == 0 { command = ["runuser", "-u", "postgres", "--"] + command }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        let (stdin, output) = (Pipe(), FileHandle.temporary())
        process.standardInput = stdin
        // A file and not a pipe: a server that is left running would keep a pipe open.
        process.standardOutput = output
        process.standardError = output
        try process.run()
        try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
        try stdin.fileHandleForWriting.close()
        process.waitUntilExit()
        try output.seek(toOffset: 0)
        let text = String(decoding: (try output.readToEnd()) ?? Data(), as: UTF8.self)
        try output.close()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(command.joined(separator: " ")) failed: \(text)")
        }
        return text
    }
}

extension FileHandle {
    /// A file without a name that is gone when it is closed.
    fileprivate static func temporary() -> FileHandle {
        guard let file = tmpfile() else { preconditionFailure("no temporary file can be made in /tmp") }
        let descriptor = dup(fileno(file))
        fclose(file)
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }
}
