// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing

@testable import CaromPooler

/// What signals ask for, in the order they come.
@Suite struct SignalTests {
    @Test(arguments: [
        ([SIGTERM], [SignalDecision.Action.stop]),
        ([SIGTERM, SIGINT], [.stop, .abort("second signal")]),
        ([SIGINT, SIGINT, SIGTERM], [.stop, .abort("second signal"), .abort("second signal")]),
        ([SIGQUIT], [.abort("SIGQUIT")]), ([SIGTERM, SIGQUIT], [.stop, .abort("SIGQUIT")]),
        ([SIGQUIT, SIGTERM], [.abort("SIGQUIT"), .abort("second signal")]),
        ([SIGHUP, SIGUSR1, SIGUSR2, SIGTERM], [.reload, .reopenLog, .none, .stop]),
    ])
    func aSignalHasItsMeaning(signals: [Int32], actions: [SignalDecision.Action]) {
        var decision = SignalDecision()
        #expect(signals.map { decision.received($0) } == actions)
    }

    @Test func noSignalThatOperatorsSendEndsTheProcessByDefault() {
        for signal in [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2] {
            #expect(Pooler.handledSignals.contains(signal))
        }
    }
}
