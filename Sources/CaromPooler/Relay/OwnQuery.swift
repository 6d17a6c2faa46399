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

    /// The same, of several statements.
    ///
    /// - Parameter isApart: the client is in the middle of something: a simple query would end its unnamed statement and portal.
    static func ask(
        _ statements: [[UInt8]], apart isApart: Bool, _ server: inout ServerState, _ out: inout Segments
    ) {
        if isApart {
            askApart(statements, &server, &out)
        } else {
            ask(Array(statements.joined(separator: [UInt8(ascii: ";")])), &server, &out)
        }
    }

    /// By extended messages.
    private static func askApart(_ statements: [[UInt8]], _ server: inout ServerState, _ out: inout Segments)
    {
        for sql in statements {
            out.append {
                // It is there if an earlier batch failed in the middle.
                NamedObject(.statement, name: name).encodeClose(into: &$0)
                Parse(name: name, query: sql).encode(into: &$0)
                Bind(portal: name, statement: name).encode(into: &$0)
                Execute(portal: name).encode(into: &$0)
                NamedObject(.portal, name: name).encodeClose(into: &$0)
                NamedObject(.statement, name: name).encodeClose(into: &$0)
            }
        }
        out.append { $0.appendEmptyMessage(FrontendTag.sync.rawValue) }
        do throws(FlowError) { try server.sendSuppressed(extended: 6 * statements.count) } catch {
            preconditionFailure("a server that was lent takes no query: \(error)")
        }
    }

    /// No client of transaction pooling has a statement of this name at a server.
    private static let name = Array("carom_/".utf8)

    /// Prepares a statement that says nothing, so that the server knows the name.
    static func prepare(_ number: UInt64, _ server: inout ServerState, _ out: inout Segments) {
        let name = Array("PREPARE \"".utf8) + PreparedStatement.name(number)
        ask(name + Array("\" AS SELECT 1".utf8), &server, &out)
    }
}
