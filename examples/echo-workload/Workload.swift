// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import CaromStats
import CaromTCP

/// The pool of connections to echo servers, and the endpoint that shows it.
struct Workload: Sendable {
    let pool: Pool<TCPConnector>
    let observed: ObservedPool
    private let statsPort: UInt16
    private let reactors: ReactorGroup

    init(resolver: any Resolver, maxSlots: Int, statsPort: UInt16) throws {
        reactors = try ReactorGroup(count: 1)
        // A connection is good if it echoes one byte.
        let connector = TCPConnector(reactors: reactors.reactors) { connection in
            try await Self.exchange([UInt8(ascii: ".")], over: connection)
        }
        var policy = Policy()
        policy.maxSlots = maxSlots
        policy.perBackendMax = maxSlots
        policy.spares = 4
        policy.maxBackoff = .seconds(5)
        policy.healthInterval = .seconds(3)
        policy.rebalanceInterval = .seconds(10)
        // Connections to an echo server are cheap: move them quickly when servers come and go.
        policy.churnRate = 16
        policy.churnBurst = 16
        let recorder = PoolRecorder()
        pool = try Pool(
            name: "echo", resolver: resolver, connector: connector, policy: policy, observers: [recorder])
        observed = ObservedPool(pool, recorder: recorder)
        self.statsPort = statsPort
    }

    /// Keeps the pool and the endpoint going while `body` runs.
    ///
    /// - Throws: what `body` throws, and `StatsServerError` if the port cannot be used.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await pool.run() }
            group.addTask { try await StatsServer([observed], port: statsPort).run() }
            group.addTask {
                try await body()
                await pool.stop()
                throw CancellationError()
            }
            defer { reactors.stop() }
            // The first to throw ends the others, which are waited for when the group ends.
            do {
                while try await group.next() != nil {}
            } catch is CancellationError {
                group.cancelAll()
            }
        }
    }

    /// Sends bytes and expects them back.
    static func exchange(_ bytes: [UInt8], over connection: TCPConnection) async throws {
        try await connection.write(bytes, timeout: .seconds(2))
        let answer = try await connection.read(exactly: bytes.count, timeout: .seconds(2))
        guard answer == bytes else { throw WrongEcho(server: connection.description) }
    }
}

/// A server that sent back something else.
struct WrongEcho: Error, CustomStringConvertible {
    let server: String
    var description: String { "\(server) did not send back what it was sent" }
}
