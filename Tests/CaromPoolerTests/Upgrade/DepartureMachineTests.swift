// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromReactor
import Testing

@testable import CaromPooler

/// What the process that hands over does, step by step.
@Suite struct DepartureMachineTests {
    private typealias Action = DepartureMachine.Action
    private static let start = Deadline(nanoseconds: 1)

    /// A machine whose clients are on their way.
    private func handingOver(_ clients: [UInt64]) -> (DepartureMachine, [Action]) {
        var machine = DepartureMachine()
        #expect(machine.received(.hello(version: HandOverMessage.version)) == [.sendListeners])
        #expect(machine.received(.begin(process: 8, limit: 5)) == [.pause(process: 8, limit: 5)])
        let actions = machine.began(clients)
        return (machine, actions)
    }

    @Test func aClientGoesInThreeSteps() {
        var (machine, actions) = handingOver([7])
        #expect(actions == [.send(.begun), .ask(7)])
        let isOffered = machine.offer(7, at: Self.start)
        #expect(isOffered)
        #expect(machine.received(.accept(7)) == [.depart(7)])
        #expect(!machine.isDone)
        #expect(machine.departed(7) == [.send(.commit(7))])
        #expect(!machine.isDone, "it may still be taken back")
        #expect(machine.received(.use(7)) == [.forget(7)] && machine.isDone)
    }

    @Test func whoWasNotServedByTheNewProcessIsTakenBackWhenThatDies() {
        var (machine, _) = handingOver([1, 2, 3])
        for client: UInt64 in [1, 2, 3] {
            _ = machine.offer(client, at: Self.start)
            _ = machine.received(.accept(client))
        }
        _ = machine.departed(1)
        _ = machine.departed(2)
        #expect(machine.received(.use(2)) == [.forget(2)])
        #expect(machine.lost("gone") == [.takeBack(1), .serveAgain, .close("gone")])
        #expect(machine.departed(3) == [.takeBack(3)], "it was about to be let go of")
    }

    @Test func whoIsCommittedStaysWithANewProcessThatOnlyDoesNotGoOn() {
        var (machine, _) = handingOver([1])
        _ = machine.offer(1, at: Self.start)
        _ = machine.received(.accept(1))
        _ = machine.departed(1)
        let reason = "it does not go on: no"
        #expect(machine.received(.refusal("no")) == [.forgetAll, .serveAgain, .close(reason)])
    }

    @Test func whenNobodyIsUnderWayForAWhileNobodyIsKeptAnyMore() {
        var (machine, _) = handingOver([1])
        _ = machine.offer(1, at: Self.start)
        _ = machine.received(.accept(1))
        _ = machine.departed(1)
        #expect(machine.look(at: Self.start) == [] && !machine.isDone)
        let later = Self.start + DepartureMachine.keepTime
        #expect(machine.look(at: later) == [.send(.settled), .forgetAll] && machine.isDone)
        #expect(machine.look(at: later) == [])
    }

    @Test func onlySoManyStandStillAtATime() {
        let clients = (1...100).map { UInt64($0) }
        var (machine, actions) = handingOver(clients)
        var asked = actions.count - 1
        #expect(asked == DepartureMachine.window)
        for client in clients {
            _ = machine.offer(client, at: Self.start)
            #expect(machine.offered <= DepartureMachine.window)
            #expect(machine.received(.accept(client)) == [.depart(client)])
            asked += machine.departed(client).count - 1
        }
        #expect(asked == 100 && !machine.isDone)
    }

    @Test func whoCannotGoNowMakesRoomAndIsOfferedLater() {
        let (first, _) = handingOver([1])
        var machine = first
        #expect(machine.answered(1) == [] && machine.isDone)
        _ = machine.offer(1, at: Self.start)
        #expect(machine.received(.decline(1, reason: "full")) == [.stay(1, reason: "full")])
        #expect(machine.came([4]) == [.ask(4)])
    }

    @Test func anotherVersionIsRefusedAndNothingChanges() {
        var machine = DepartureMachine()
        let actions = machine.received(.hello(version: 99))
        let reason =
            "the other process speaks version 99 of the hand-over, this one \(HandOverMessage.version)"
        #expect(actions == [.send(.refusal(reason)), .close(reason)])
        #expect(machine.phase == .over)
        #expect(machine.received(.hello(version: HandOverMessage.version)) == [])
    }

    @Test func whoGoesBeforeTheBeginningChangesNothing() {
        var machine = DepartureMachine()
        _ = machine.received(.hello(version: HandOverMessage.version))
        #expect(machine.lost("gone") == [.close("gone")])
        #expect(machine.lost("gone") == [])
    }

    @Test func whenTheNewProcessDiesThoseWhoWereOfferedStayAndThisOneServesAgain() {
        var (machine, _) = handingOver([1, 2, 3])
        for client: UInt64 in [1, 2, 3] { _ = machine.offer(client, at: Self.start) }
        #expect(machine.received(.accept(2)) == [.depart(2)])
        #expect(
            machine.lost("gone") == [
                .stay(1, reason: "gone"), .stay(3, reason: "gone"), .serveAgain, .close("gone"),
            ])
        #expect(machine.departed(2) == [.takeBack(2)], "nobody was told that it is his")
        let isOffered = machine.offer(4, at: Self.start)
        #expect(!isOffered, "who can go now stays")
    }

    @Test func whoGetsNoAnswerStays() {
        var (machine, _) = handingOver([1])
        _ = machine.offer(1, at: Self.start)
        #expect(machine.look(at: Self.start) == [])
        let actions = machine.look(at: Self.start + DepartureMachine.patience)
        #expect(actions.first == .send(.withdraw(1)) && actions.count == 2)
        #expect(machine.received(.accept(1)) == [], "too late")
    }

    @Test func whoIsEndedOnTheWayIsWithdrawn() {
        var (machine, _) = handingOver([1])
        _ = machine.offer(1, at: Self.start)
        #expect(machine.ended(1) == [.send(.withdraw(1))])
        #expect(machine.received(.accept(1)) == [] && machine.departed(1) == [])
    }

    @Test(arguments: [HandOverMessage.accept(1), .ready, .hello(version: HandOverMessage.version), .begun])
    func whatMakesNoSenseEndsTheHandOver(_ message: HandOverMessage) {
        var machine = DepartureMachine()
        _ = machine.received(.hello(version: HandOverMessage.version))
        guard case .send(.refusal(let reason))? = machine.received(message).first else {
            Issue.record("it is refused")
            return
        }
        #expect(reason == "unexpected: \(message.name)")
    }

    @Test func ordersOfTheNewProcessAreFollowed() {
        var (machine, _) = handingOver([])
        let addresses = [SocketAddress(.ip("127.0.0.1", port: 1))]
        #expect(machine.received(.listening(addresses)) == [.keepListeners(addresses)])
        #expect(machine.received(.stop) == [.stop])
    }
}
