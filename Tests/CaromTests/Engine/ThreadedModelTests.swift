// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#endif

/// A pool on real threads, with 200 tasks that claim, park, cancel and forget, four backends that come, go and fail, and books
/// about who has what. `CAROM_MODEL_SECONDS` says for how long, `CAROM_SEED` repeats the choices of a run (not its timing).
@Suite("Model on threads") struct ThreadedModelTests {
    /// A connection that knows whether somebody has it.
    final class Connection: Sendable {
        let backend: BackendID
        let holders = Atomic<Int>(0)
        let closes = Atomic<Int>(0)

        init(_ backend: BackendID) { self.backend = backend }
    }

    /// Opens, breaks and closes connections by chance, and keeps the books.
    final class Books: Connector {
        let opened = Atomic<Int>(0)
        let served = Atomic<Int>(0)
        let closed = Atomic<Int>(0)
        let open = Atomic<Int>(0)
        let mostOpen = Atomic<Int>(0)
        let lentTwice = Atomic<Int>(0)
        let lentClosed = Atomic<Int>(0)
        private let random: Mutex<SeededRandom>

        init(seed: UInt64) { random = Mutex(SeededRandom(seed: seed)) }

        func below(_ limit: Int) -> Int { random.withLock { $0.below(limit) } }

        func connect(to backend: Backend, context: ConnectContext) async throws -> Connection {
            for _ in 0..<below(4) { await Task.yield() }
            if below(10) == 0 { throw FakeError("refused") }
            opened.add(1, ordering: .relaxed)
            let now = open.add(1, ordering: .relaxed).newValue
            mostOpen.max(now, ordering: .relaxed)
            return Connection(backend.id)
        }
        func isValid(_ connection: Connection) async throws {
            if below(20) == 0 { throw FakeError("gone") }
        }
        func onRecycle(_ connection: Connection) async throws {
            await Task.yield()
            if below(20) == 0 { throw FakeError("dirty") }
        }
        func returned(_ connection: Connection) -> ReturnVerdict {
            switch below(20) {
            case 0: .recycle
            case 1: .discard(reason: "chance")
            default: .clean
            }
        }
        func isUsable(_ connection: Connection, idleFor: Duration) -> Bool { below(50) > 0 }
        func attributes(of connection: Connection) -> [String: String] {
            ["role": connection.backend.name == "b1" ? "primary" : "standby"]
        }
        func close(_ connection: Connection) async {
            if connection.closes.add(1, ordering: .relaxed).newValue == 1 {
                closed.add(1, ordering: .relaxed)
            }
            open.subtract(1, ordering: .relaxed)
        }

        func take(_ connection: Connection) {
            if connection.holders.add(1, ordering: .sequentiallyConsistent).oldValue != 0 {
                lentTwice.add(1, ordering: .relaxed)
            }
            if connection.closes.load(ordering: .relaxed) > 0 { lentClosed.add(1, ordering: .relaxed) }
        }
        func leave(_ connection: Connection) {
            connection.holders.subtract(1, ordering: .sequentiallyConsistent)
        }
    }

    static func number(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }

    private static let backends = (1...4).map { Backend(name: "b\($0)", address: .unix(path: "/b\($0)")) }

    @Test("behaviour 70: on real threads nothing is lent twice, leaked or left waiting")
    func holds() async throws {
        let seconds = Self.number("CAROM_MODEL_SECONDS") ?? 2
        let end = ContinuousClock.now + .seconds(seconds)
        var round: UInt64 = 0
        let first = UInt64(Self.number("CAROM_SEED") ?? Int.random(in: 1...1_000_000_000))
        print("model on threads: CAROM_SEED=\(first), \(seconds) s")
        var claims: UInt64 = 0
        repeat {
            claims += try await play(seed: first + round)
            round += 1
        } while ContinuousClock.now < end
        print("model on threads: \(round) rounds, \(claims) claims")
    }

    private func play(seed: UInt64) async throws -> UInt64 {
        var policy = Policy()
        policy.maxSlots = 12
        policy.perBackendMax = 6
        policy.spares = 2
        policy.minBackoff = .milliseconds(1)
        policy.maxBackoff = .milliseconds(5)
        policy.churnRate = 1_000
        policy.claimTimeout = nil
        let books = Books(seed: seed)
        let resolver = ScriptedResolver(Self.backends)
        let pool = try Pool(name: "model", resolver: resolver, connector: books, policy: policy, seed: seed)
        let running = Task { try await pool.run() }
        await withTaskGroup { group in
            for task in 0..<200 {
                group.addTask {
                    await Self.work(pool, books, SeededRandom(seed: seed &+ UInt64(task) &* 7919))
                }
            }
            group.addTask {
                // One backend at a time comes and goes; the primary stays, for claims wait for it without end.
                for turn in 0..<20 {
                    for _ in 0..<50 { await Task.yield() }
                    let missing = turn % 4
                    resolver.publish(Self.backends.filter { $0.name == "b1" || $0 != Self.backends[missing] })
                    if turn % 5 == 0 {
                        pool.suspend()
                        await Task.yield()
                        pool.resume()
                    }
                    pool.markSuspect(Self.backends[0].id)
                }
                resolver.publish(Self.backends)
            }
        }
        let stats = pool.stats
        #expect(stats.claimed == 0 && stats.waiting == 0, "seed \(seed): \(stats)")
        #expect(Int(stats.totals.claims) >= books.served.load(ordering: .relaxed), "seed \(seed)")
        let report = await pool.stop()
        try await running.value
        #expect(report.revokedLeases.isEmpty && report.unfinishedOperations == 0, "seed \(seed): \(report)")
        #expect(books.lentTwice.load(ordering: .relaxed) == 0, "seed \(seed): lent twice")
        #expect(books.lentClosed.load(ordering: .relaxed) == 0, "seed \(seed): lent when closed")
        #expect(
            books.opened.load(ordering: .relaxed) == books.closed.load(ordering: .relaxed),
            "seed \(seed): leaked")
        #expect(books.open.load(ordering: .relaxed) == 0, "seed \(seed): closed twice")
        #expect(books.mostOpen.load(ordering: .relaxed) <= policy.maxSlots, "seed \(seed): too many")
        return stats.totals.claims
    }

    /// Thirty claims, each ended in its own way.
    private static func work(
        _ pool: Pool<Books>, _ books: Books, _ seeded: SeededRandom
    ) async {
        var random = seeded
        for _ in 0..<30 {
            let request = random.below(10) == 0 ? ClaimRequest(role: .primary) : .any
            let timeout: Duration? = random.below(6) == 0 ? .microseconds(random.below(500)) : nil
            let isCancelled = random.below(12) == 0
            let ending = random.below(20)
            let rests = random.below(3)
            let task = Task {
                guard let claim = try? await pool.claim(request, timeout: timeout) else { return false }
                books.take(claim.connection)
                for _ in 0..<rests { await Task.yield() }
                books.leave(claim.connection)
                switch ending {
                case 0: claim.discard(blame: false)
                case 1: claim.discard("chance")
                case 2: claim.recycle(after: FakeError("chance"))
                case 3...6:
                    guard let parked = claim.park() else { return true }
                    await Task.yield()
                    if let again = parked.reclaim() {
                        books.take(again.connection)
                        books.leave(again.connection)
                        again.recycle()
                    }
                case 7: break
                default: claim.recycle()
                }
                return true
            }
            if isCancelled { task.cancel() }
            if await task.value { books.served.add(1, ordering: .relaxed) }
        }
    }
}
