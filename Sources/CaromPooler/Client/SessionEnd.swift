// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol
import CaromTCP

/// Why a client's session is over.
enum SessionEnd: Error, Equatable {
    /// The client said goodbye, or asked only for a cancel.
    case terminated
    /// The client's socket ended or failed.
    case clientLeft
    /// The client is told and let go. Indirect: every step of a session has room for its end.
    indirect case refused(ErrorFields)
    /// The connection closes without a word of ours: the client has been sent a part of a message, or the server's own FATAL.
    /// The reason is for the log.
    indirect case cutOff(String)
    /// The client took too long to log in.
    case loginTimedOut
    /// The pooler is going down.
    case shutdown
    /// The client goes on in another process, if it is at rest; else it stays until it is.
    case handedOver

    /// A refusal with our own words.
    static func fatal(
        _ code: SQLState, _ message: String, detail: String? = nil, hint: String? = nil
    ) -> SessionEnd {
        .refused(
            ErrorFields(severity: .fatal, code: code, message: message, detail: detail, hint: hint))
    }

    /// `memory_limit` is met, and the client would have something wait.
    static var outOfMemory: SessionEnd {
        .fatal(
            .outOfMemory, "too many bytes wait in buffers",
            detail: BufferMemory.limit.map { "Those of all clients may be \($0) (memory_limit)." },
            hint: "clients that do not read their answers fill them, and requests that wait for a server")
    }

    /// There is no route by these names.
    static func noRoute(_ startup: StartupMessage) -> SessionEnd {
        .fatal(
            .invalidCatalogName, "route for '\(startup.database).\(startup.user)' is not found",
            hint: "add a database and user block to the configuration, or a default one")
    }

    /// The route lets nobody in.
    static func blocked(_ startup: StartupMessage) -> SessionEnd {
        .fatal(.invalidAuthorization, "user blocked: \(startup.database) \(startup.user)")
    }

    /// What the client is told; nil if that is not ours to say.
    var message: String? { if case .refused(let fields) = self { fields.message } else { nil } }

    /// What the client is told; nil if nobody is there to be told, or nothing more may be said.
    func farewell(loginTimeout: Duration) -> ErrorFields? {
        switch self {
        case .terminated, .clientLeft, .cutOff, .handedOver: nil
        case .refused(let fields): fields
        case .loginTimedOut:
            ErrorFields(
                severity: .fatal, code: .protocolViolation,
                message: "login timed out after \(loginTimeout) (client_login_timeout)")
        case .shutdown:
            ErrorFields(severity: .fatal, code: .adminShutdown, message: "the pooler is shutting down")
        }
    }

    /// The same, without a word of ours.
    var silent: SessionEnd {
        switch self {
        case .refused(let fields): .cutOff(fields.message ?? "the client was refused")
        case .shutdown: .cutOff("the pooler is shutting down")
        default: self
        }
    }
}
