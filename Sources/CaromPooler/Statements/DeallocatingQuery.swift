// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// A simple query with `DEALLOCATE` of statements that the server knows by other names than the client, or of all of them.
struct DeallocatingQuery {
    private struct Wish {
        let deallocation: Deallocation
        /// How many others the text has in front of it.
        let ordinal: Int
        /// Of the shared statement that the client means; nil if it has none by a name that, at the server, is another client's.
        let number: UInt64?
    }

    /// Nothing else stands here: each client has room for it.
    private let wishes: [Wish]

    /// Nil if the text can go as it is.
    ///
    /// - Parameters:
    ///   - deallocations: what the text ends.
    ///   - statements: the client's prepared statements; nil if it has none.
    init?(
        _ deallocations: Deallocations, _ statements: ClientStatements?, _ server: borrowing ServerState,
        _ book: borrowing SessionBook
    ) {
        var found: [Wish] = []
        for (ordinal, deallocation) in deallocations.named.enumerated() {
            let number = statements?.number(of: deallocation.name)
            let isOurs = PreparedStatement.number(ofName: deallocation.name).map {
                server.statements.holds($0) || !book.mayHaveStatements
            }
            if number == nil, isOurs != true { continue }
            found.append(Wish(deallocation: deallocation, ordinal: ordinal, number: number))
        }
        // The tag of an ALL that comes last may stay away.
        if found.isEmpty, deallocations.endedByLast != .all { return nil }
        wishes = found
    }

    /// The query in the server's words. What it needs at the server goes ahead.
    func rewrite(
        _ text: RawSpan, _ deallocations: Deallocations, _ server: inout ServerState, _ out: inout Segments
    ) -> Query {
        for number in wishes.compactMap(\.number) where !server.statements.surelyHolds(number) {
            if server.flow.hasUnsyncedMessages {
                HiddenMessages.close(number, &server, &out)
                HiddenMessages.parse(number, [], &server, &out)
            } else {
                OwnQuery.prepare(number, &server, &out)
            }
        }
        let isUTF8 = server.reported["client_encoding"] == "UTF8"
        var query: [UInt8] = []
        var rewriting = QueryRewriting(of: deallocations)
        var end = 0
        for wish in wishes {
            query.append(contentsOf: text.array(end..<wish.deallocation.nameRange.lowerBound))
            query.append(UInt8(ascii: "\""))
            if let number = wish.number {
                PreparedStatement.appendName(number, to: &query)
                server.statements.doubt(number)
            } else {
                PreparedStatement.appendEscaped(wish.deallocation.name, to: &query)
            }
            query.append(UInt8(ascii: "\""))
            end = wish.deallocation.nameRange.upperBound
            rewriting.replaced(text.extracting(0..<end), by: query.span.bytes, isUTF8: isUTF8)
        }
        query.append(contentsOf: text.array(end..<text.byteCount))
        server.statements.rewriting = rewriting
        return Query(query)
    }

    /// It is over: the client has those statements no more that it has ended. Behind an error the others are still its own.
    func settle(_ rewriting: QueryRewriting, _ statements: ClientStatements?) {
        for wish in wishes where wish.number != nil && wish.ordinal < rewriting.deallocated {
            statements?.deallocate(wish.deallocation.name)
        }
    }
}
