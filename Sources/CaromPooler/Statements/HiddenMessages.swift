// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgres
import CaromPostgresProtocol

/// Messages of the pooler's own in the middle of a client's batch: their replies are hidden from it, their errors are not.
enum HiddenMessages {
    /// Closes a shared statement.
    static func close(_ number: UInt64, _ server: inout ServerState, _ out: inout Segments) {
        server.sendHidden()
        server.statements.didClose(number, server.flow)
        out.append { NamedObject(.statement, name: PreparedStatement.name(number)).encodeClose(into: &$0) }
    }

    /// Closes what is in the way of a Parse.
    static func makeRoom(
        _ preparation: ServerStatements.Preparation, for number: UInt64, _ server: inout ServerState,
        _ out: inout Segments
    ) {
        for evicted in preparation.evicted { close(evicted, &server, &out) }
        if preparation.closesFirst { close(number, &server, &out) }
    }

    /// Parses a text under a number. An empty text is no statement at all, which can be parsed in a failed transaction, too.
    static func parse(
        _ number: UInt64, _ text: [UInt8], _ server: inout ServerState, _ out: inout Segments
    ) {
        server.sendHidden()
        let parse = Parse(name: PreparedStatement.name(number), query: text)
        out.append { parse.encode(into: &$0) }
    }

    /// Runs a command that has no rows.
    ///
    /// - Parameter number: one that no statement has.
    static func run(
        _ command: [UInt8], number: UInt64, _ server: inout ServerState, _ out: inout Segments
    ) {
        let name = PreparedStatement.name(number)
        for _ in 0..<5 { server.sendHidden() }
        out.append {
            Parse(name: name, query: command).encode(into: &$0)
            Bind(portal: name, statement: name).encode(into: &$0)
            Execute(portal: name).encode(into: &$0)
            NamedObject(.portal, name: name).encodeClose(into: &$0)
            NamedObject(.statement, name: name).encodeClose(into: &$0)
        }
    }

    // MARK: DEALLOCATE

    /// The client is about to run a statement that ends another one, by the client's name. Adds one that ends it by the server's.
    ///
    /// - Returns: the number of the one that is added; nil if the statement to be ended is none that was prepared by Parse.
    static func addDeallocation(
        _ content: [UInt8], _ names: inout StatementNames, _ registry: StatementRegistry,
        _ server: inout ServerState, _ out: inout Segments
    ) -> UInt64? {
        let text = Array(content.prefix { $0 != 0 })
        guard let wish = Deallocation(text.span.bytes), let entry = names[wish.name.span.bytes] else {
            return nil
        }
        let target = entry.statement.number
        if !server.statements.surelyHolds(target) {
            // There may be one left over, nobody knows.
            close(target, &server, &out)
            parse(target, [], &server, &out)
        }
        let number = registry.nextNumber()
        parse(
            number, wish.renamed(to: PreparedStatement.name(target), in: text), &server, &out)
        server.statements.forget(target)
        names.end(wish.name.span.bytes, by: server.flow.extendedSent + 1, server.flow)
        return number
    }

    /// Sends the Bind of a statement that was added.
    static func bindDeallocation(
        _ number: UInt64, _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names,
        _ server: inout ServerState, _ out: inout Segments
    ) throws(SessionEnd) -> StatementEffects {
        try message.record(&server)
        out.append { message.appendRenamed(names, to: number, into: &$0) }
        out.append(chunk: message.rest(names))
        // A portal keeps the plan; the statement is of no more use.
        close(number, &server, &out)
        return .letsGo
    }
}
