// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromPooler

/// When a relay does what it was told.
@Suite struct RelayOrderTests {
    private static func position(
        attached: Bool = false, waiting: Bool = false, free: Bool = false, streaming: Bool = false,
        keepsUp: Bool = true
    ) -> RelayOrder.Position {
        RelayOrder.Position(
            isAttached: attached, isWaiting: waiting, isFree: free, isStreaming: streaming, keepsUp: keepsUp)
    }

    @Test func aClientWithoutAServerObeysAtOnce() {
        for order in [RelayOrder.stop, .look, .move, .leave, .hear, .handOver] {
            #expect(order.isDue(Self.position()))
        }
        #expect(!RelayOrder.none.isDue(Self.position()))
    }

    @Test func aTransactionIsNeverInterrupted() {
        for order in [RelayOrder.stop, .look, .move, .leave, .hear, .handOver] {
            #expect(!order.isDue(Self.position(attached: true)))
        }
    }

    @Test func aClientThatKeepsItsServerLooksBetweenTransactions() {
        let kept = Self.position(attached: true, free: true)
        #expect(RelayOrder.leave.isDue(kept) && RelayOrder.hear.isDue(kept))
        #expect(RelayOrder.look.isDue(kept) && !RelayOrder.move.isDue(kept) && !RelayOrder.stop.isDue(kept))
    }

    @Test func aClientInTheQueueGoesElsewhereButIsServedBeforeTheEnd() {
        let queued = Self.position(waiting: true)
        #expect(
            RelayOrder.look.isDue(queued) && RelayOrder.move.isDue(queued) && !RelayOrder.stop.isDue(queued))
    }

    @Test func theEndWaitsUntilTheClientHasItsAnswers() {
        for order in [RelayOrder.stop, .hear, .handOver] {
            #expect(!order.isDue(Self.position(keepsUp: false)))
        }
    }

    @Test(arguments: [
        (RelayOrder.none, RelayOrder.leave, RelayOrder.leave), (.look, .leave, .look), (.move, .leave, .move),
        (.leave, .look, .look), (.leave, .stop, .stop), (.stop, .leave, .stop), (.stop, .look, .stop),
        (.move, .look, .look), (.none, .handOver, .handOver), (.look, .handOver, .handOver),
        (.handOver, .look, .handOver), (.handOver, .leave, .handOver), (.handOver, .stop, .stop),
        (.stop, .handOver, .stop), (.none, .hear, .hear), (.hear, .look, .look), (.look, .hear, .look),
        (.handOver, .hear, .handOver), (.stop, .hear, .stop), (.hear, .handOver, .handOver),
    ])
    func anOrderThatSaysMoreStays(_ first: RelayOrder, _ second: RelayOrder, _ result: RelayOrder) {
        var order = first
        order.accept(second)
        #expect(order == result)
    }
}
