// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromReactor
import Glibc
import Testing

@testable import CaromPooler

/// The pooler as a whole, without clients.
@Suite struct PoolerTests {
    /// A configuration with one Unix socket in a directory of its own.
    private static func settings(_ directory: String, _ route: String = "") throws -> Settings {
        let text = """
            workers 2 log_to_stdout no unix_socket_dir "\(directory)" unix_socket_mode "0700"
            pid_file "\(directory)/pid"
            listen { port 6432 }
            storage "pg" { type "remote" host "127.0.0.1" }
            database default { user default {
                authentication "none" storage "pg" pool "session" \(route)
            } }
            """
        return try ConfigurationFile.parse(text: text).settings
    }

    private static func makeDirectory() throws -> String {
        var template = Array("/tmp/carom-pooler-XXXXXX".utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) }
        return String(cString: try #require(made))
    }

    @Test func workersServeNewClientsByTheSnapshotThatIsPutToUse() async throws {
        let directory = try Self.makeDirectory()
        defer { rmdir(directory) }
        let pooler = try Pooler(try Self.settings(directory), processors: 1)
        let running = Task { try await pooler.run() }
        let old = pooler.snapshot
        let new = try Snapshot(try Self.settings(directory, "client_max 1"), previous: old, log: pooler.log)
        await pooler.use(new)
        #expect(pooler.snapshot === new)
        #expect(pooler.workers.count == 2)
        for worker in pooler.workers {
            let current = await withTaskExecutorPreference(worker.reactor) { worker.snapshot }
            #expect(current === new)
        }
        running.cancel()
        try await running.value
        #expect(access(directory + "/pid", F_OK) != 0)
        #expect(access(directory + "/.s.PGSQL.6432", F_OK) != 0)
    }
}
