// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import CaromReactor

@Suite struct TurnTests {
    @Test(.timeLimit(.minutes(1))) func coroutinesThatYieldAndWakeEachOtherAllFinish() async throws {
        try await onReactor { reactor in
            await withDiscardingTaskGroup { group in
                let wakers = (0..<16).map { _ in Waker() }
                for index in 0..<16 {
                    group.addTask(executorPreference: reactor) {
                        for round in 0..<200 {
                            wakers[(index + 1) % 16].wake()
                            if round % 8 == 7 { await reactor.nextTurn() }
                            await wakers[index].wait()
                        }
                        wakers[(index + 1) % 16].wake()
                    }
                }
            }
        }
    }
}
