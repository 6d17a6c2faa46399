// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromPostgres
import PostgresProtocol
import Reactor

extension ClientSession {
    /// What a log line about this session says it is about. Put together for each line: an idle client keeps nothing for it.
    func context(_ phase: LogPhase) -> LogContext {
        var context = LogContext(phase)
        context.clientID = id
        context.serverID = server?.id
        context.user = startup?.user
        context.database = startup?.database
        context.clientHost = stream.peer.host
        context.clientPort = Int(stream.peer.port)
        context.serverHost = server?.backend.address.description
        return context
    }
}
