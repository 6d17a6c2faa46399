// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol
import DequeModule

/// Messages that are not sent on, because the pooler refuses them.
///
/// In the place of each goes a question about a statement that no server has. So the error comes where the client expects it, and what
/// follows from an error follows: the server skips to the next Sync, and its transaction has failed.
struct RefusedMessages {
    private var refusals = Deque<(number: UInt64, error: ErrorFields)>()
    /// The rest of a message that comes in pieces is dropped.
    private(set) var dropsRest = false

    /// Refuses a message.
    ///
    /// - Parameters:
    ///   - number: one that no statement has.
    ///   - error: what the client is told.
    ///   - isPart: more of the message follows.
    mutating func refuse(
        _ number: UInt64, with error: ErrorFields, isPart: Bool, _ server: inout ServerState,
        _ out: inout Segments
    ) throws(SessionEnd) {
        do throws(FlowError) { try server.send(.describe) } catch { throw .fatal(error.sqlState, "\(error)") }
        out.append {
            NamedObject(.statement, name: PreparedStatement.name(number)).encodeDescribe(into: &$0)
        }
        refusals.append((number, error))
        dropsRest = isPart
    }

    /// The rest of the message has come.
    mutating func endRest() { dropsRest = false }

    /// The refusal that a server's error stands for. Those before it were skipped.
    mutating func refusal(behind error: ErrorFields) -> ErrorFields? {
        guard !refusals.isEmpty, let number = error.quotedName.flatMap(PreparedStatement.number(ofName:))
        else { return nil }
        while let first = refusals.first, first.number <= number {
            refusals.removeFirst()
            if first.number == number { return first.error }
        }
        return nil
    }

    /// Nothing is under way any more.
    @inline(__always)
    mutating func settle() { if !refusals.isEmpty { refusals = [] } }
}
