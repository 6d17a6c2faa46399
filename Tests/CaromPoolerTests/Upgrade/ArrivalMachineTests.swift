// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Testing

@testable import CaromPooler

/// What the process that takes over does, step by step.
@Suite struct ArrivalMachineTests {
    private typealias Action = ArrivalMachine.Action

    private func ready() -> ArrivalMachine {
        var machine = ArrivalMachine()
        let address = SocketAddress(.unix(path: "/x"))
        #expect(machine.received(.welcome(version: HandOverMessage.version, process: 5)) == [])
        #expect(machine.received(.listener(address, ownsFile: true)) == [.keep(address, ownsFile: true)])
        #expect(machine.received(.ready) == [.prepare(process: 5)])
        return machine
    }

    private func taking() -> ArrivalMachine {
        var machine = ready()
        #expect(machine.begin(process: 6, limit: nil) == [.send(.begin(process: 6, limit: nil))])
        #expect(machine.received(.begun) == [.serve])
        return machine
    }

    @Test func aClientIsServedWhenTheOldProcessHasLetGo() {
        var machine = taking()
        #expect(machine.received(.client(1, SampleState.full)) == [.adopt(1, SampleState.full)])
        #expect(machine.adopted(1) == [.send(.accept(1))])
        #expect(machine.received(.commit(1)) == [.hold(1)])
        #expect(machine.received(.commit(1)) == [])
        #expect(machine.used(1) == [.send(.use(1)), .run(1)], "the old process is told before it is heard")
        #expect(machine.used(1) == [])
    }

    @Test func whoDoesNothingIsServedWhenAllHaveCome() {
        var machine = taking()
        for client: UInt64 in [1, 2] {
            _ = machine.received(.client(client, SampleState.full))
            _ = machine.adopted(client)
        }
        _ = machine.received(.commit(1))
        #expect(machine.received(.settled) == [.run(1)])
        #expect(machine.received(.commit(2)) == [.hold(2)])
        #expect(machine.lost("gone") == [.run(2), .close("gone")])
    }

    @Test func whoIsWithdrawnIsNotServed() {
        var machine = taking()
        _ = machine.received(.client(1, SampleState.full))
        _ = machine.adopted(1)
        #expect(machine.received(.withdraw(1)) == [.drop(1)])
        _ = machine.received(.client(2, SampleState.full))
        #expect(machine.received(.withdraw(2)) == [.drop(2)])
        #expect(machine.adopted(2) == [.drop(2)], "it was not ready yet")
    }

    @Test func whoCannotBeServedIsDeclined() {
        var machine = taking()
        _ = machine.received(.client(1, SampleState.full))
        #expect(machine.declined(1, reason: "no route") == [.send(.decline(1, reason: "no route"))])
    }

    @Test func whenTheOldProcessDiesWhatItHasOfferedIsServed() {
        var machine = taking()
        for client: UInt64 in [1, 2, 3] { _ = machine.received(.client(client, SampleState.full)) }
        _ = machine.adopted(1)
        _ = machine.adopted(3)
        #expect(machine.lost("gone") == [.run(1), .run(3), .close("gone")])
        #expect(machine.adopted(2) == [.run(2)])
    }

    @Test func whenTheOldProcessRefusesWhatItHasOfferedIsItsOwn() {
        var machine = taking()
        for client: UInt64 in [1, 2] { _ = machine.received(.client(client, SampleState.full)) }
        _ = machine.adopted(1)
        let reason = "it does not go on: confused"
        #expect(machine.received(.refusal("confused")) == [.drop(1), .drop(2), .close(reason)])
        #expect(machine.adopted(2) == [.drop(2)])
    }

    @Test func aRefusalAtTheBeginningFails() {
        var machine = ArrivalMachine()
        #expect(machine.received(.refusal("no")) == [.fail("it does not go on: no")])
        var other = ArrivalMachine()
        #expect(other.received(.welcome(version: 9, process: 1)).count == 2)
        #expect(other.phase == .over)
    }

    @Test func anOldProcessThatDiesAtTheBeginningLeavesItsPlace() {
        var machine = ready()
        _ = machine.begin(process: 6, limit: nil)
        #expect(machine.lost("gone") == [.serve, .close("gone")])
        var refused = ready()
        _ = refused.begin(process: 6, limit: nil)
        #expect(refused.received(.refusal("no")) == [.fail("it does not go on: no")])
    }

    @Test func anOldProcessThatGoesBeforeTheBeginningFailsTheTakeover() {
        var machine = ready()
        #expect(machine.lost("gone") == [.fail("gone")])
        #expect(machine.begin(process: 1, limit: nil) == [.fail("the old process is gone")])
    }
}
