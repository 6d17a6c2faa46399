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
        ([SIGHUP, SIGUSR1, SIGUSR2, SIGTERM], [.reload, .reopenLog, .drain, .stop]),
        ([SIGUSR2, SIGTERM, SIGTERM], [.drain, .stop, .abort("second signal")]),
        ([SIGTERM, SIGUSR2, SIGTERM], [.stop, .none, .abort("second signal")]),
    ])
    func aSignalHasItsMeaning(signals: [Int32], actions: [SignalDecision.Action]) {
        var decision = SignalDecision()
        #expect(signals.map { decision.received($0) } == actions)
    }

    @Test func noSignalThatOperatorsSendEndsTheProcessByDefault() {
        for signal in [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2] {
            #expect(Pooler.handledSignals.contains(signal))
        }
        for signal in [SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXFSZ, 34, 64] {
            #expect(Pooler.ignoredSignals.contains(signal))
        }
        // Those that tell of a fault must end it, and those that stop it are no end.
        for signal in [SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGXCPU, SIGTSTP] {
            #expect(!Pooler.ignoredSignals.contains(signal) && !Pooler.handledSignals.contains(signal))
        }
    }
}
