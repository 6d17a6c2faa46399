// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import Carom
import CaromConfiguration
import CaromPostgres
import CaromPostgresProtocol
import CaromReactor
import CaromTCP

extension ClientSession {
    /// What a log line about this session says it is about. Put together for each line: an idle client keeps nothing for it.
    func context(_ phase: LogPhase) -> LogContext {
        var context = LogContext(phase)
        context.clientID = id
        context.serverID = server?.id
        context.user = startup.user.isEmpty ? nil : startup.user
        context.database = startup.database.isEmpty ? nil : startup.database
        context.clientHost = stream.peer.host
        context.clientPort = Int(stream.peer.port)
        context.serverHost = server?.backend.address.description
        return context
    }

    @inline(never)
    func noteStart() {
        worker.log.session("new client connection from \(stream.peer)", in: context(.startup))
    }

    @inline(never)
    func noteSetUp() {
        guard let route else { return }
        worker.log.session(
            "route '\(startup.database).\(startup.user)' to \(route.name)", in: context(.setup))
    }

    @inline(never)
    func noteEnd(_ started: Deadline) {
        worker.log.session(
            "client disconnected (working time: \(started.duration(to: .now).nanoseconds / 1_000) microseconds)",
            in: context(.main))
    }

    /// Whether what the client sends is to be logged (`log_query`).
    var logsQueries: Bool { worker.log.isLoggingQueries || route?.settings.logQuery == true }

    /// Writes a line for a Query or Parse, as far as its text has come. Values of parameters are never logged.
    func logQuery(_ tag: UInt8, _ message: RawSpan) {
        var text = message.extracting(droppingFirst: min(Framing.headerSize, message.byteCount))
        switch tag {
        case FrontendTag.query.rawValue: break
        case FrontendTag.parse.rawValue:
            // The statement's name stands before its text.
            guard let end = text.firstZero else { return }
            text = text.extracting(droppingFirst: end + 1)
        default: return
        }
        let length = min(text.firstZero ?? text.byteCount, LogLine.longestMessage)
        let query = text.extracting(first: length).withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
        worker.log.query(query, in: context(.main), ofRoute: true)
    }
}

extension RawSpan {
    /// Where the first zero byte is.
    fileprivate var firstZero: Int? {
        withUnsafeBytes { $0.firstIndex(of: 0) }
    }
}
