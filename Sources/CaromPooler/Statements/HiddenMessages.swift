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
        _ counters: Counters, _ out: inout Segments
    ) {
        for evicted in preparation.evicted {
            counters.count(.eviction)
            close(evicted, &server, &out)
        }
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

    /// Describes a statement.
    static func describe(_ name: [UInt8], _ server: inout ServerState, _ out: inout Segments) {
        server.sendHidden()
        out.append { NamedObject(.statement, name: name).encodeDescribe(into: &$0) }
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

    /// The same in front of what the client sends next: in its batch, if one is open.
    ///
    /// - Parameter registry: gives numbers that no statement has.
    static func runInFront(
        _ command: [UInt8], _ registry: StatementRegistry?, _ server: inout ServerState,
        _ out: inout Segments
    ) {
        if server.flow.isSynchronized { return OwnQuery.ask(command, &server, &out) }
        if let number = registry?.nextNumber() { run(command, number: number, &server, &out) }
    }

    /// Runs such commands.
    ///
    /// - Parameter registry: gives numbers that no statement has.
    static func run(
        _ commands: [[UInt8]], _ registry: StatementRegistry, _ server: inout ServerState,
        _ out: inout Segments
    ) {
        for command in commands { run(command, number: registry.nextNumber(), &server, &out) }
    }

    // MARK: DEALLOCATE

    /// Sends the Bind of a statement that ends another one, by the client's name, as that of one that ends it by the server's.
    ///
    /// - Parameters:
    ///   - text: of the client's statement.
    ///   - target: the statement that is ended.
    ///   - number: one that no statement has.
    static func bindDeallocation(
        _ wish: Deallocation, in text: [UInt8], of target: UInt64, as number: UInt64,
        _ message: borrowing ExtendedMessage, _ names: ExtendedMessage.Names,
        _ clientNames: inout StatementNames, _ server: inout ServerState, _ out: inout Segments
    ) throws(SessionEnd) {
        if !server.statements.surelyHolds(target) {
            // There may be one left over, nobody knows.
            close(target, &server, &out)
            parse(target, [], &server, &out)
            server.statements.doubt(target)
        }
        parse(number, wish.renamed(to: PreparedStatement.name(target), in: text), &server, &out)
        try message.record(&server)
        clientNames.noteUse(of: nil, message.bytes(names.statement), server.flow)
        out.append { message.appendRenamed(names, to: number, into: &$0) }
        out.append(chunk: message.rest(names))
        // A portal keeps the plan; the statement is of no more use.
        close(number, &server, &out)
    }
}
