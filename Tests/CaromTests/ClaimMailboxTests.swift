// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromTesting
import Synchronization
import Testing

/// A wait that ends in the moment it is served: at each instant somebody owns the connection.
@Suite struct ClaimMailboxTests {
    /// Stands between the pool and a mailbox as a thread that is held up at this point.
    private final class HeldUp: ClaimReceiver {
        let mailbox: ClaimMailbox
        let tickets = Mutex<[ClaimTicket]>([])
        init(_ mailbox: ClaimMailbox) { self.mailbox = mailbox }
        func claimReady(_ ticket: ClaimTicket) { tickets.withLock { $0.append(ticket) } }
        func goOn() {
            let tickets = tickets.withLock { tickets in
                defer { tickets = [] }
                return tickets
            }
            for ticket in tickets.reversed() { mailbox.claimReady(ticket) }
        }
    }

    private let calls = Kept<Int>()

    private func mailbox() -> ClaimMailbox {
        calls.value = 0
        return ClaimMailbox { [calls] in calls.value = (calls.value ?? 0) + 1 }
    }

    private func wait(_ rig: ShellRig, _ receiver: any ClaimReceiver) throws -> WaiterID {
        switch rig.pool.claim(.any, receiver: receiver) {
        case .waiting(let waiter): return waiter
        case .claimed: throw FakeError("was served")
        case .failed(let error): throw error
        }
    }

    private func rig(_ size: Int = 1) throws -> ShellRig {
        try ShellRig {
            $0.maxSlots = size
            $0.spares = 0
        }
    }

    @Test func whatArrivesIsKeptUntilItIsTaken() throws {
        let rig = try rig()
        let holder = rig.hold()
        let mailbox = mailbox()
        let waiter = try wait(rig, mailbox)
        #expect(mailbox.take() == nil)
        holder.release()
        rig.clock.runUntilQuiescent()
        #expect(calls.value == 1)
        let ticket = try #require(mailbox.take())
        #expect(ticket.waiter == waiter && mailbox.take() == nil)
        try rig.pool.redeem(ticket).recycle()
        #expect(rig.pool.stats.idle == 1)
    }

    @Test func aWaitGivenUpInTheQueueLeavesNothing() throws {
        let rig = try rig()
        let holder = rig.hold()
        let mailbox = mailbox()
        mailbox.abandon(try wait(rig, mailbox), in: rig.pool)
        holder.release()
        rig.clock.runUntilQuiescent()
        #expect(calls.value == 0 && rig.pool.stats.idle == 1)
    }

    @Test func aWaitGivenUpBetweenServiceAndDeliveryGivesTheConnectionBack() throws {
        let rig = try rig()
        let holder = rig.hold()
        let mailbox = mailbox()
        let between = HeldUp(mailbox)
        let waiter = try wait(rig, between)
        holder.release()
        rig.clock.runUntilQuiescent()
        mailbox.abandon(waiter, in: rig.pool)
        #expect(rig.pool.stats.claimed == 1)
        between.goOn()
        #expect(calls.value == 0 && rig.pool.stats.claimed == 0 && rig.pool.stats.idle == 1)
    }

    @Test func aWaitGivenUpAfterDeliveryGivesTheConnectionBack() throws {
        let rig = try rig()
        let holder = rig.hold()
        let mailbox = mailbox()
        let waiter = try wait(rig, mailbox)
        holder.release()
        rig.clock.runUntilQuiescent()
        mailbox.abandon(waiter, in: rig.pool)
        #expect(mailbox.take() == nil && rig.pool.stats.idle == 1)
    }

    @Test func ticketsOfAnAbandonedAndOfALaterWaitAreToldApartInAnyOrder() throws {
        let rig = try rig(2)
        let holders = [rig.hold(), rig.hold()]
        let mailbox = mailbox()
        let between = HeldUp(mailbox)
        let first = try wait(rig, between)
        holders[0].release()
        rig.clock.runUntilQuiescent()
        mailbox.abandon(first, in: rig.pool)
        let second = try wait(rig, between)
        holders[1].release()
        rig.clock.runUntilQuiescent()
        between.goOn()
        let ticket = try #require(mailbox.take())
        #expect(ticket.waiter == second && calls.value == 1)
        #expect(rig.pool.stats.claimed == 1)
        ticket.abandon()
        #expect(rig.pool.stats.claimed == 0)
    }

    @Test func aMailboxThatGoesGivesBackWhatIsInIt() throws {
        let rig = try rig()
        let holder = rig.hold()
        do {
            let mailbox = mailbox()
            _ = try wait(rig, mailbox)
            holder.release()
            rig.clock.runUntilQuiescent()
            #expect(rig.pool.stats.claimed == 1)
        }
        #expect(rig.pool.stats.claimed == 0 && rig.pool.stats.idle == 1)
    }

    @Test func leavingInTheMomentOfServiceNeverLosesAConnection() async throws {
        var policy = Policy()
        policy.maxSlots = 2
        policy.spares = 0
        // Beside tests that take every core no time is enough.
        policy.claimTimeout = nil
        let pool = try Pool(
            name: "mailbox", resolver: StaticResolver([Backend(address: .unix(path: "/a"))]),
            connector: FakeConnector(), policy: policy)
        let running = Task { try await pool.run() }
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<1_000 { try? await pool.withConnection { _ in } }
                }
                group.addTask {
                    let mailbox = ClaimMailbox {}
                    for _ in 0..<1_000 {
                        switch pool.claim(.any, receiver: mailbox) {
                        case .claimed(let claim): claim.recycle()
                        case .waiting(let waiter): mailbox.abandon(waiter, in: pool)
                        case .failed: continue
                        }
                        await Task.yield()
                    }
                }
            }
        }
        let one = try await pool.claim()
        let two = try await pool.claim()
        #expect(one.slot != two.slot)
        one.recycle()
        two.recycle()
        await pool.stop()
        try await running.value
    }
}
