// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Synchronization
import Testing

@Suite("Cancellation and the callback door")
struct CancellationTests {
    @Test("behaviour 21: a cancelled waiter leaves at once")
    func aCancelledWaiterLeavesAtOnce() throws {
        let rig = try ShellRig { $0.maxSlots = 1 }
        let holder = rig.hold()
        let waiter = rig.hold()
        let next = rig.hold()
        #expect(rig.pool.stats.waiting == 2)
        waiter.cancel?()
        rig.clock.runUntilQuiescent()
        #expect(waiter.state == .failed(.cancelled))
        #expect(rig.pool.stats.waiting == 1)
        holder.release()
        rig.clock.runUntilQuiescent()
        #expect(next.state == .holding(1))
        #expect(rig.connector.connections[0].recycles == 0)
    }

    @Test("behaviour 22: cancelled between choice and delivery, the connection goes on untouched")
    func cancelledBetweenChoiceAndDeliveryTheConnectionGoesOnUntouched() throws {
        let rig = try ShellRig { $0.maxSlots = 1 }
        let pool = rig.pool
        let receiver = Receiver { _ in }
        guard case .claimed(let claim) = pool.claim(.any, receiver: receiver) else { return }
        let waiter = rig.hold()
        let next = rig.hold()
        claim.recycle()
        waiter.cancel?()
        rig.clock.runUntilQuiescent()
        #expect(waiter.state == .failed(.cancelled))
        #expect(next.state == .holding(1))
        #expect(rig.connector.connections[0].recycles == 0)
    }

    @Test func cancellationRacesLoseNothing() async throws {
        var policy = Policy()
        policy.maxSlots = 3
        policy.spares = 3
        policy.validationBypass = nil
        // Beside tests that take every core no time is enough.
        policy.claimTimeout = nil
        let connector = FakeConnector()
        let pool = try Pool(
            name: "race", resolver: StaticResolver([Backend(address: .unix(path: "/a"))]),
            connector: connector,
            policy: policy)
        let running = Task { try await pool.run() }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<2_000 {
                group.addTask {
                    let claimer = Task {
                        let claim = try await pool.claim()
                        await Task.yield()
                        claim.recycle()
                    }
                    await Task.yield()
                    claimer.cancel()
                    _ = try? await claimer.value
                }
            }
        }
        let stats = pool.stats
        #expect(stats.claimed == 0 && stats.waiting == 0)
        #expect(stats.slots <= 3)
        await pool.stop()
        try await running.value
        #expect(connector.open == 0 && connector.closedOnce)
    }

    @Test func theCallbackDoorServesWaitersAndTickets() throws {
        let rig = try ShellRig { $0.maxSlots = 1 }
        let tickets = Mutex<[ClaimTicket]>([])
        let receiver = Receiver { ticket in tickets.withLock { $0.append(ticket) } }
        let pool = rig.pool
        guard case .claimed(let claim) = pool.claim(.any, receiver: receiver) else {
            Issue.record("an idle connection was not lent")
            return
        }
        guard case .waiting(let one) = pool.claim(.any, receiver: receiver),
            case .waiting(let two) = pool.claim(.any, receiver: receiver),
            case .waiting(let three) = pool.claim(.any, receiver: receiver)
        else {
            Issue.record("nothing was left to lend")
            return
        }
        #expect(pool.cancel(two) && !pool.cancel(two))
        claim.recycle()
        let first = try #require(tickets.withLock { $0.first })
        #expect(first.waiter == one)
        pool.abandon(first)
        let second = try #require(tickets.withLock { $0.last })
        #expect(second.waiter == three)
        #expect(!pool.cancel(three))
        try pool.redeem(second).recycle()
        #expect(pool.stats.idle == 1)
    }

    @Test func aReceiverIsToldOfFailure() throws {
        let rig = try ShellRig { $0.maxSlots = 1 }
        let holder = rig.hold()
        let code = Kept<PoolError.Code>()
        let pool = rig.pool
        let receiver = Receiver { ticket in
            do throws(PoolError) {
                try pool.redeem(ticket).recycle()
            } catch {
                code.value = error.code
            }
        }
        guard case .waiting = pool.claim(.any, timeout: .seconds(1), receiver: receiver) else { return }
        rig.clock.advance(by: .seconds(2))
        #expect(code.value == .exhausted)
        #expect(holder.state == .holding(1))
    }

    @Test func aTicketUsedTwiceIsABrokenContract() async {
        await #expect(processExitsWith: .failure) {
            let rig = try ShellRig { $0.maxSlots = 1 }
            let kept = Kept<ClaimTicket>()
            let receiver = Receiver { kept.value = $0 }
            guard case .claimed(let claim) = rig.pool.claim(.any, receiver: receiver) else { return }
            guard case .waiting = rig.pool.claim(.any, receiver: receiver) else { return }
            claim.recycle()
            rig.pool.abandon(kept.value!)
            rig.pool.abandon(kept.value!)
        }
    }
}

final class Receiver: ClaimReceiver {
    private let body: @Sendable (ClaimTicket) -> Void
    init(_ body: @escaping @Sendable (ClaimTicket) -> Void) { self.body = body }
    func claimReady(_ ticket: ClaimTicket) { body(ticket) }
}
