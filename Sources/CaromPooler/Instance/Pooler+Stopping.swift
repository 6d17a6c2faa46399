// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromConfiguration
import CaromPostgres
import CaromReactor
import Glibc

extension Pooler {
    /// The signals that the pooler handles; blocked before any thread starts, see `Signals.block`.
    package static var handledSignals: [Int32] { [SIGTERM, SIGINT, SIGUSR1] }

    /// Follows signals until the task is cancelled, which it is when the last client has gone.
    ///
    /// The first SIGTERM or SIGINT lets the clients finish what they have begun; a second one, or the end of
    /// `graceful_shutdown_timeout_ms`, ends them all. SIGUSR1 opens the log file again.
    func awaitSignals(_ listeners: [Listener], _ reactor: Reactor) async {
        let signals: Signals
        do throws(SystemError) {
            signals = try Signals(Self.handledSignals, reactor: reactor)
        } catch {
            log.error("\(error); the pooler stops")
            stop(listeners)
            return
        }
        var deadline = Deadline.never
        var isStopping = false
        while !Task.isCancelled {
            guard let signal = await signals.next(until: deadline) else {
                if Task.isCancelled { return }
                end("graceful_shutdown_timeout_ms is over")
                deadline = .never
                continue
            }
            if signal == SIGUSR1 {
                log.reopen()
            } else if isStopping {
                end("second signal")
            } else {
                isStopping = true
                log.info("signal \(signal): stopping; clients may finish their transactions")
                stop(listeners)
                if let limit = settings.gracefulShutdownTimeout {
                    deadline = .now + limit
                }
            }
        }
    }

    private func end(_ reason: String) {
        log.info("\(reason): ending \(clientCount) clients")
        for worker in workers { worker.abort() }
    }
}
