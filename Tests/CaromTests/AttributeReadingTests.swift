// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromTesting
import Testing

@testable import Carom

/// When the pool asks a connector again what its connections are.
@Suite struct AttributeReadingTests {
    private func rig(_ change: (inout Policy) -> Void = { _ in }) throws -> ShellRig {
        var script = FakeConnector.Script()
        script.attributes = { _ in ["role": "standby"] }
        return try ShellRig(script: script, observer: QuietLog()) { policy in
            policy.maxSlots = 1
            policy.spares = 1
            policy.validationBypass = nil
            change(&policy)
        }
    }

    private var primary: ClaimRequest {
        var request = ClaimRequest.any
        request.requirement = ["role": "primary"]
        return request
    }

    @Test func afterAReturn() throws {
        let rig = try rig()
        let holder = rig.hold()
        let waiter = rig.hold(primary)
        #expect(waiter.state == .waiting)
        rig.connector.connections[0].attributes = ["role": "primary"]
        holder.release()
        rig.clock.runUntilQuiescent()
        #expect(waiter.state == .holding(1))
    }

    @Test func afterACheck() throws {
        let rig = try rig()
        rig.connector.connections[0].attributes = ["role": "primary"]
        // Nobody is known to be what it waits for, so whoever is idle is checked.
        let waiter = rig.hold(primary)
        rig.clock.runUntilQuiescent()
        #expect(waiter.state == .holding(1))
    }

    @Test func afterARecycle() throws {
        let rig = try rig()
        let connection = rig.connector.connections[0]
        connection.verdict = .recycle
        rig.connector.script.onRecycle = { connection in
            connection.attributes = ["role": "primary"]
            return .succeed
        }
        let holder = rig.hold()
        let waiter = rig.hold(primary)
        holder.release()
        rig.clock.runUntilQuiescent()
        #expect(waiter.state == .holding(1))
    }

    @Test func atOnceWhenTheConnectionSaysSo() throws {
        let rig = try rig()
        let waiter = rig.hold(primary)
        #expect(waiter.state == .waiting)
        rig.connector.connections[0].attributes = ["role": "primary"]
        rig.connector.connections[0].reportAttributes()
        rig.clock.runUntilQuiescent()
        #expect(waiter.state == .holding(1))
    }

    @Test func aHolderCannotReclaimWhatHasBecomeSomethingElse() throws {
        let rig = try rig()
        let claim = try need(rig.claimIdle())
        let slot = claim.slot
        let parked = try need(claim.park())
        rig.connector.connections[0].attributes = ["role": "primary"]
        rig.pool.attributesChanged(of: slot)
        let wasTaken = isTaken(parked)
        #expect(wasTaken)
        #expect(rig.pool.stats.idle == 1)
    }

    @Test func aReportAfterTheCloseIsIgnored() throws {
        let rig = try rig()
        let connection = rig.connector.connections[0]
        _ = rig.stop()
        connection.attributes = ["role": "primary"]
        connection.reportAttributes()
        #expect(rig.pool.stats.state == .stopped)
    }
}
