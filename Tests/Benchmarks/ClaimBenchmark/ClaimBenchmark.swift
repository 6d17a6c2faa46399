// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CAllocationCounter
import Carom
import CaromTesting

/// Nanoseconds and allocations of claims and returns, alone and in company, and of waiters who come and go.
///
/// `--check` ends with exit code 1 if the uncontended pair takes more than 300 ns or allocates at all.
@main
struct ClaimBenchmark {
    static let clock = SystemPoolClock()

    static func main() async throws {
        var policy = Policy()
        policy.maxSlots = 128
        policy.perBackendMax = 128
        policy.spares = 64
        policy.maxWaiters = 200_000
        policy.validationBypass = nil
        policy.shrink = .never
        let connector = FakeConnector()
        let backend = Backend(address: .unix(path: "/nowhere"))
        let pool = try Pool(
            name: "benchmark", resolver: StaticResolver([backend]), connector: LeanConnector(fake: connector),
            policy: policy)
        let running = Task { await pool.run() }
        while pool.stats.idle < 64 { try await Task.sleep(for: .milliseconds(5)) }

        print("tasks   ns per claim and return   allocations per pair")
        var single = Measurement(nanoseconds: 0, allocations: 0)
        for tasks in CommandLine.arguments.contains("--single") ? [1] : [1, 2, 8, 64] {
            _ = try await pairs(pool, tasks: tasks, each: 20_000 / tasks)
            let result = try await pairs(pool, tasks: tasks, each: 2_000_000 / tasks)
            if tasks == 1 { single = result }
            print(row(tasks, result))
        }
        print("closure " + row(1, try await closures(pool)))
        try await waiters()
        print(await pool.stop())
        await running.value
        if CommandLine.arguments.contains("--check"), single.nanoseconds > 300 || single.allocations > 0.001 {
            fatalError("claim and return: budget is 300 ns and no allocation")
        }
    }
}

struct Measurement {
    var nanoseconds: Double
    var allocations: Double
}

func row(_ tasks: Int, _ measurement: Measurement) -> String {
    let tasks = String(tasks)
    let nanoseconds = String(Int(measurement.nanoseconds.rounded()))
    let allocations = String((measurement.allocations * 10_000).rounded() / 10_000)
    return String(repeating: " ", count: 5 - tasks.count) + tasks
        + String(repeating: " ", count: 26 - nanoseconds.count) + nanoseconds
        + String(repeating: " ", count: 23 - allocations.count) + allocations
}

extension ClaimBenchmark {
    static func pairs(_ pool: Pool<LeanConnector>, tasks: Int, each: Int) async throws -> Measurement {
        let allocations = allocation_count()
        let began = clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<tasks {
                group.addTask {
                    for _ in 0..<each {
                        let claim = try await pool.claim()
                        claim.recycle()
                    }
                }
            }
            try await group.waitForAll()
        }
        return measured(began, allocations, count: tasks * each)
    }

    static func closures(_ pool: Pool<LeanConnector>) async throws -> Measurement {
        let allocations = allocation_count()
        let began = clock.now
        for _ in 0..<1_000_000 { try await pool.withConnection { _ in } }
        return measured(began, allocations, count: 1_000_000)
    }

    static func measured(_ began: PoolInstant, _ allocations: UInt64, count: Int) -> Measurement {
        let time = clock.now.nanoseconds - began.nanoseconds
        let allocated = allocation_count() - allocations
        return Measurement(
            nanoseconds: Double(time) / Double(count), allocations: Double(allocated) / Double(count))
    }

    /// A hundred thousand waiters on a pool without connections: queued, then cancelled in another order.
    static func waiters() async throws {
        var policy = Policy()
        policy.maxWaiters = 200_000
        let pool = try Pool(
            name: "waiters", resolver: StaticResolver([Backend]()),
            connector: LeanConnector(fake: FakeConnector()), policy: policy)
        let receiver = NobodyComes()
        for round in ["first", "second"] {
            var waiters: [WaiterID] = []
            waiters.reserveCapacity(100_000)
            var allocations = allocation_count()
            var began = clock.now
            for _ in 0..<100_000 {
                switch pool.claim(.any, receiver: receiver) {
                case .waiting(let waiter): waiters.append(waiter)
                case .claimed: fatalError("nobody should be served here")
                case .failed(let error): fatalError("nobody should be refused here: \(error)")
                }
            }
            let queued = measured(began, allocations, count: 100_000)
            var order = SystemRandomNumberGenerator()
            waiters.shuffle(using: &order)
            allocations = allocation_count()
            began = clock.now
            for waiter in waiters where !pool.cancel(waiter) { fatalError("a waiter was lost") }
            let cancelled = measured(began, allocations, count: 100_000)
            print("100,000 waiters, \(round) time: queued", row(1, queued), "each")
            print("100,000 waiters, \(round) time: cancelled", row(1, cancelled), "each")
        }
        await pool.stop()
    }
}

final class NobodyComes: ClaimReceiver {
    func claimReady(_ ticket: ClaimTicket) { fatalError("nobody comes") }
}

/// A connector whose synchronous answers cost nothing: what is measured is the pool.
struct LeanConnector: Connector {
    let fake: FakeConnector

    func connect(to backend: Backend, context: ConnectContext) async throws -> FakeConnection {
        try await fake.connect(to: backend, context: context)
    }
    func isValid(_ connection: FakeConnection) async throws {}
    func returned(_ connection: FakeConnection) -> ReturnVerdict { .clean }
    func close(_ connection: FakeConnection) async {}
}
