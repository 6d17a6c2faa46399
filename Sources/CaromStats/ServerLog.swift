// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import FlyingSocks
import Logging

/// The HTTP server's messages, in our logger.
struct ServerLog: FlyingSocks.Logging {
    let logger: Logger

    func logDebug(_ text: @autoclosure () -> String) { log(.trace, text()) }
    func logInfo(_ text: @autoclosure () -> String) { log(.trace, text()) }
    func logWarning(_ text: @autoclosure () -> String) { log(.debug, text()) }
    func logError(_ text: @autoclosure () -> String) { log(.debug, text()) }
    // What is critical to the server is an error that `run` throws to its caller anyway.
    func logCritical(_ text: @autoclosure () -> String) { log(.debug, text()) }

    private func log(_ level: Logger.Level, _ text: @autoclosure () -> String) {
        logger.log(level: level, "\(text())")
    }
}
