// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromReactor
import Testing

@testable import CaromTCP

@Suite struct ReactorPoolClockTests {
    @Test func sleepsUntilTheInstantAndNotLess() async throws {
        let late = try await onReactor { reactor in
            let clock = ReactorPoolClock(reactor)
            let end = clock.now.advanced(by: .milliseconds(10))
            try await clock.sleep(until: end)
            return clock.now.duration(since: end)
        }
        #expect(late >= .zero)
    }

    @Test func aCancelledSleepEndsAtOnce() async throws {
        try await onReactor { reactor in
            let clock = ReactorPoolClock(reactor)
            let sleeper = Task(executorPreference: reactor) {
                try await clock.sleep(until: clock.now.advanced(by: .seconds(600)))
            }
            sleeper.cancel()
            await #expect(throws: CancellationError.self) { try await sleeper.value }
        }
    }

    @Test func aPoolThatLivesOnAReactorTimesItsWaitsThere() async throws {
        try await onReactor { reactor in
            let pool = try Pool(
                name: "timed", resolver: StaticResolver([Backend]()),
                connector: TCPConnector(reactors: [reactor]),
                clock: ReactorPoolClock(reactor), executor: reactor)
            async let running: Void = pool.run()
            let error = await #expect(throws: PoolError.self) {
                _ = try await pool.withConnection(timeout: .milliseconds(20)) { _ in }
            }
            #expect(error?.code == .noBackends)
            #expect(error.map { $0.waited >= .milliseconds(20) } == true)
            await pool.stop()
            try await running
        }
    }
}
