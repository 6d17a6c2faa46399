// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Decides what a signal to the process asks for; waits for none.
struct SignalDecision {
    enum Action: Equatable {
        /// Take no more clients, and let those that are here finish what they have begun.
        case stop
        /// The same, however long it takes them.
        case drain
        /// End all clients now, for the reason given.
        case abort(String)
        /// Read the configuration again.
        case reload
        /// Open the log file again.
        case reopenLog
        /// Go on.
        case none
    }

    /// The first SIGTERM or SIGINT was received.
    private(set) var isStopping = false

    /// Every signal that the pooler handles. They are blocked before any thread starts, so that none of them ends the process
    /// by its default action; see `Signals.block`.
    static let handled = [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2]

    /// Signals that mean nothing here and would end the process: sent by mistake, by a limit on the size of files, or by
    /// a socket or a pipe whose other end is gone.
    static let ignored: [Int32] =
        [SIGPIPE, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXFSZ]
        + (__libc_current_sigrtmin()...__libc_current_sigrtmax())

    /// What to do about a signal.
    mutating func received(_ signal: Int32) -> Action {
        switch signal {
        case SIGTERM, SIGINT:
            if isStopping { return .abort("second signal") }
            isStopping = true
            return .stop
        case SIGQUIT:
            isStopping = true
            return .abort("SIGQUIT")
        case SIGHUP: return .reload
        case SIGUSR1: return .reopenLog
        case SIGUSR2: return isStopping ? .none : .drain
        default: return .none
        }
    }
}
