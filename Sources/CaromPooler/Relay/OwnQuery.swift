// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Queries that the pooler sends for itself.
enum OwnQuery {
    /// Adds a query of the pooler's own, whose answer the client does not see.
    static func ask(_ sql: [UInt8], _ server: inout ServerState, _ out: inout Segments) {
        out.append { Query(sql).encode(into: &$0) }
        do throws(FlowError) { try server.sendSuppressed() } catch {
            preconditionFailure("a server that was lent takes no query: \(error)")
        }
    }

    /// Prepares a statement that says nothing, so that the server knows the name.
    static func prepare(_ number: UInt64, _ server: inout ServerState, _ out: inout Segments) {
        let name = Array("PREPARE \"".utf8) + PreparedStatement.name(number)
        ask(name + Array("\" AS SELECT 1".utf8), &server, &out)
    }
}
