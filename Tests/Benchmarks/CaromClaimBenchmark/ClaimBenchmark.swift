// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CCaromAllocationCounter
import Carom
import CaromTesting
import Glibc

/// Nanoseconds and allocations of claims and returns, alone and in company, and of waiters who come and go.
///
/// Shared machines disturb, and only ever add: the least and the median of many rounds are shown, and the least CPU
/// time, which is free of the time that others had the CPU.
/// `--check` ends with exit code 1 if the uncontended pair allocates at all, or takes at its least more CPU time than
/// a multiple of 300 ns, or with metrics than that of 400 ns, or parking and reclaiming more than the same multiple of 60 ns. `--pairs N` claims and returns
/// that often, `--parking N` parks and reclaims, alone, and does nothing else: for an instruction counter, which says
/// exactly what a clock cannot.
@main
struct ClaimBenchmark {
    static let clock = SystemPoolClock()

    /// What claim and return may take on a machine of its own, in nanoseconds.
    static let budget = 300.0
    /// The same with `PoolMetrics` attached.
    static let budgetWithMetrics = 400.0
    /// Nanoseconds a park and a reclaim may take.
    static let parkingBudget = 60.0
    /// How much slower a shared or older machine may be before `--check` takes it for our fault.
    static let slowMachine = 3.0

    /// A pool of 64 idle connections.
    static func makePool(observers: [any PoolObserver] = []) async throws
        -> (Pool<LeanConnector>, Task<Void, any Error>)
    {
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
            policy: policy, observers: observers)
        let running = Task { try await pool.run() }
        while pool.stats.idle < 64 { try await Task.sleep(for: .milliseconds(5)) }
        return (pool, running)
    }

    /// The same work with metrics attached. Once a second the pool is sampled: a round is much shorter.
    static func measuredWithMetrics() async throws -> [Measurement] {
        #if Metrics
            let (pool, running) = try await makePool(observers: [PoolMetrics(pool: "benchmark")])
            _ = try await pairs(pool, tasks: 1, each: 20_000)
            var rounds: [Measurement] = []
            for _ in 0..<21 { rounds.append(try await pairs(pool, tasks: 1, each: 100_000)) }
            await pool.stop()
            try await running.value
            return rounds
        #else
            return []
        #endif
    }

    static func main() async throws {
        let (pool, running) = try await makePool()
        if let pairsOnly = Self.number(after: "--pairs") {
            _ = try await pairs(pool, tasks: 1, each: pairsOnly)
            await pool.stop()
            try await running.value
            return
        }
        if let parkingOnly = Self.number(after: "--parking") {
            _ = try await parking(pool, count: parkingOnly)
            await pool.stop()
            try await running.value
            return
        }
        print("tasks   ns per claim and return: least    median   least CPU   allocations per pair")
        var single: [Measurement] = []
        for tasks in CommandLine.arguments.contains("--single") ? [1] : [1, 2, 8, 64] {
            _ = try await pairs(pool, tasks: tasks, each: 20_000 / tasks)
            var rounds: [Measurement] = []
            for _ in 0..<21 { rounds.append(try await pairs(pool, tasks: tasks, each: 100_000 / tasks)) }
            if tasks == 1 { single = rounds }
            print(row(String(tasks), rounds))
        }
        let metered = try await measuredWithMetrics()
        if !metered.isEmpty { print(row("1, with metrics", metered)) }
        var rounds: [Measurement] = []
        for _ in 0..<11 { rounds.append(try await closures(pool)) }
        print(row("1, with a closure", rounds))
        var parked: [Measurement] = []
        for _ in 0..<21 { parked.append(try await parking(pool, count: 100_000)) }
        print(row("1, parked and reclaimed", parked))
        try await waiters()
        print(await pool.stop())
        try await running.value
        guard CommandLine.arguments.contains("--check") else { return }
        if single.leastCPU > budget * slowMachine || single.allocations > 0.001 {
            print(
                "over budget: claim and return may take \(Int(budget * slowMachine)) ns here and no allocation"
            )
            exit(1)
        }
        if !metered.isEmpty,
            metered.leastCPU > budgetWithMetrics * slowMachine || metered.leastAllocations > 0.001
        {
            print(
                "over budget: with metrics it may take \(Int(budgetWithMetrics * slowMachine)) ns here and no allocation"
            )
            exit(1)
        }
        if parked.least > parkingBudget * slowMachine || parked.allocations > 0.001 {
            print(
                "over budget: park and reclaim may take \(Int(parkingBudget * slowMachine)) ns here and no allocation"
            )
            exit(1)
        }
    }

    static func number(after name: String) -> Int? {
        let arguments = CommandLine.arguments
        guard let flag = arguments.firstIndex(of: name), flag + 1 < arguments.count else { return nil }
        return Int(arguments[flag + 1])
    }
}

/// Where a measurement begins.
struct Start {
    let allocations = allocation_count()
    let instant = ClaimBenchmark.clock.now
    let cpu = Start.cpuTime

    /// CPU time of all threads of this process, in nanoseconds.
    static var cpuTime: Int {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}

struct Measurement {
    var nanoseconds: Double
    var cpu: Double
    var allocations: Double
}

extension [Measurement] {
    var least: Double { map(\.nanoseconds).min() ?? 0 }
    var leastCPU: Double { map(\.cpu).min() ?? 0 }
    var median: Double { map(\.nanoseconds).sorted()[count / 2] }
    var leastAllocations: Double { map(\.allocations).min() ?? 0 }
    var allocations: Double { map(\.allocations).reduce(0, +) / Double(count) }
}

func row(_ label: String, _ rounds: [Measurement]) -> String {
    func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(1, width - text.count)) + text
    }
    let allocations = (rounds.allocations * 10_000).rounded() / 10_000
    return right(label, 5) + right(String(Int(rounds.least.rounded())), 38 - max(0, label.count - 5))
        + right(String(Int(rounds.median.rounded())), 10) + right(String(Int(rounds.leastCPU.rounded())), 12)
        + right(String(allocations), 23)
}

extension ClaimBenchmark {
    static func pairs(_ pool: Pool<LeanConnector>, tasks: Int, each: Int) async throws -> Measurement {
        let start = Start()
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
        return measured(start, count: tasks * each)
    }

    static func closures(_ pool: Pool<LeanConnector>) async throws -> Measurement {
        let start = Start()
        for _ in 0..<100_000 { try await pool.withConnection { _ in } }
        return measured(start, count: 100_000)
    }

    static func parking(_ pool: Pool<LeanConnector>, count: Int) async throws -> Measurement {
        var claim = try await pool.claim()
        let start = Start()
        for _ in 0..<count {
            if let again = claim.park()?.reclaim() {
                claim = again
            } else {
                claim = try await pool.claim()
            }
        }
        let measured = measured(start, count: count)
        claim.recycle()
        return measured
    }

    static func report(_ what: String, _ each: Measurement) {
        let allocations = (each.allocations * 10_000).rounded() / 10_000
        print("\(what): \(Int(each.nanoseconds.rounded())) ns and \(allocations) allocations each")
    }

    static func measured(_ start: Start, count: Int) -> Measurement {
        let cpu = Start.cpuTime - start.cpu
        let time = clock.now.nanoseconds - start.instant.nanoseconds
        let allocated = allocation_count() - start.allocations
        return Measurement(
            nanoseconds: Double(time) / Double(count), cpu: Double(cpu) / Double(count),
            allocations: Double(allocated) / Double(count))
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
            var start = Start()
            for _ in 0..<100_000 {
                switch pool.claim(.any, receiver: receiver) {
                case .waiting(let waiter): waiters.append(waiter)
                case .claimed: fatalError("nobody should be served here")
                case .failed(let error): fatalError("nobody should be refused here: \(error)")
                }
            }
            let queued = measured(start, count: 100_000)
            var order = SystemRandomNumberGenerator()
            waiters.shuffle(using: &order)
            start = Start()
            for waiter in waiters where !pool.cancel(waiter) { fatalError("a waiter was lost") }
            let cancelled = measured(start, count: 100_000)
            report("100,000 waiters queued, \(round) time", queued)
            report("100,000 waiters cancelled, \(round) time", cancelled)
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
