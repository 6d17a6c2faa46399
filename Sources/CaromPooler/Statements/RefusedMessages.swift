// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Parses that are not sent on, for want of memory.
///
/// In the place of each goes a question about a statement that no server has. So the error comes where the client expects it, and what
/// follows from an error follows: the server skips to the next Sync, and its transaction has failed.
struct RefusedParses {
    private var numbers: [UInt64] = []
    /// The rest of a Parse that comes in pieces is dropped.
    private(set) var dropsRest = false

    /// Refuses a Parse.
    ///
    /// - Parameters:
    ///   - number: one that no statement has.
    ///   - isPart: more of it follows.
    mutating func refuse(
        _ number: UInt64, isPart: Bool, _ server: inout ServerState, _ out: inout Segments
    ) throws(SessionEnd) {
        do throws(FlowError) { try server.send(.describe) } catch { throw .fatal(error.sqlState, "\(error)") }
        out.append {
            NamedObject(.statement, name: PreparedStatement.name(number)).encodeDescribe(into: &$0)
        }
        numbers.append(number)
        dropsRest = isPart
    }

    /// The rest of the message has come.
    mutating func endRest() { dropsRest = false }

    /// Whether an error stands for a refusal.
    func contains(_ error: ErrorFields) -> Bool {
        guard !numbers.isEmpty, let name = error.quotedName else { return false }
        return PreparedStatement.number(ofName: name).map(numbers.contains) == true
    }

    /// Nothing is under way any more.
    @inline(__always)
    mutating func settle() { if !numbers.isEmpty { numbers = [] } }
}
