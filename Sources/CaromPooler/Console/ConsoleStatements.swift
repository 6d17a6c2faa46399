// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// What a client has prepared in the extended protocol: statements by their names, and portals by theirs.
struct ConsoleStatements {
    /// A nil command is an empty statement.
    private var statements: [[UInt8]: (any ConsoleCommand)?] = [:]
    private var portals: [[UInt8]: ConsolePortal] = [:]

    /// Prepared statements of a session: as many as a driver's cache may hold.
    static let statementLimit = 256
    /// Open portals of a session. Each may hold a table.
    static let portalLimit = 16
    /// PostgreSQL's own limit for names, in bytes.
    static let nameLimit = 63

    /// A Sync: portals live no longer than their transaction, and each Sync ends one.
    mutating func endTransaction() { portals = [:] }

    /// A simple query takes the place of the unnamed statement and ends the portals, as in PostgreSQL.
    mutating func beginSimpleQuery() {
        statements[[]] = nil
        portals = [:]
    }

    mutating func parse(_ parse: Parse, _ role: ConsoleRole, into output: inout [UInt8]) throws(ConsoleError)
    {
        if !parse.name.isEmpty, statements[parse.name] != nil {
            throw ConsoleError(
                .duplicatePreparedStatement, "prepared statement \(quoted(parse.name)) already exists")
        }
        let commands = try ConsoleCommands.commands(in: parse.query, limit: 1, role)
        try checkName(parse.name)
        try checkCount(statements.count, Self.statementLimit, "prepared statements")
        statements[parse.name] = .some(commands.first)
        BackendTag.parseComplete.encodeEmpty(into: &output)
    }

    mutating func bind(_ bind: Bind, into output: inout [UInt8]) throws(ConsoleError) {
        let command = try statement(bind.statement)
        if !bind.portal.isEmpty, portals[bind.portal] != nil {
            throw ConsoleError(.duplicateCursor, "portal \(quoted(bind.portal)) already exists")
        }
        guard bind.parameters.isEmpty else {
            throw ConsoleError(
                .protocolViolation,
                "bind message supplies \(bind.parameters.count) parameters, but console commands take none")
        }
        let width = command?.columns?.count ?? 0
        guard bind.resultFormats.count <= 1 || bind.resultFormats.count == width else {
            throw ConsoleError(
                .protocolViolation,
                "bind message has \(bind.resultFormats.count) result formats, but the command has \(width) columns"
            )
        }
        try checkName(bind.portal)
        try checkCount(portals.count, Self.portalLimit, "portals")
        portals[bind.portal] = ConsolePortal(command, formats: bind.resultFormats)
        BackendTag.bindComplete.encodeEmpty(into: &output)
    }

    func describe(_ object: NamedObject, into output: inout [UInt8]) throws(ConsoleError) {
        switch object.target {
        case .statement:
            let command = try statement(object.name)
            ParameterDescription(types: []).encode(into: &output)
            ConsolePortal(command).describe(into: &output)
        case .portal: try portal(object.name).describe(into: &output)
        }
    }

    /// - Returns: a job whose result is awaited, for ``finish(_:_:into:)``.
    mutating func execute(
        _ execute: Execute, _ context: ConsoleContext, into output: inout [UInt8]
    ) throws(ConsoleError) -> ConsoleJob? {
        var portal = try portal(execute.portal)
        let job = try portal.run(context, limit: Int(execute.limit), into: &output)
        portals[execute.portal] = portal
        return job
    }

    /// Writes the result that a portal has waited for.
    mutating func finish(_ name: [UInt8], _ result: ConsoleResult, into output: inout [UInt8])
        throws(ConsoleError)
    {
        var portal = try portal(name)
        defer { portals[name] = portal }
        try portal.finish(result, into: &output)
    }

    /// Closing what is not there is no error, as in PostgreSQL.
    mutating func close(_ object: NamedObject, into output: inout [UInt8]) {
        switch object.target {
        case .statement: statements[object.name] = nil
        case .portal: portals[object.name] = nil
        }
        BackendTag.closeComplete.encodeEmpty(into: &output)
    }

    private func statement(_ name: [UInt8]) throws(ConsoleError) -> (any ConsoleCommand)? {
        guard let command = statements[name] else {
            throw ConsoleError(
                .invalidStatementName, "prepared statement \(quoted(name)) does not exist")
        }
        return command
    }

    private func portal(_ name: [UInt8]) throws(ConsoleError) -> ConsolePortal {
        guard let portal = portals[name] else {
            throw ConsoleError(.invalidCursorName, "portal \(quoted(name)) does not exist")
        }
        return portal
    }

    private func checkName(_ name: [UInt8]) throws(ConsoleError) {
        guard name.count <= Self.nameLimit else {
            throw ConsoleError(.nameTooLong, "a name has more than \(Self.nameLimit) bytes")
        }
    }

    private func checkCount(_ count: Int, _ limit: Int, _ things: String) throws(ConsoleError) {
        guard count < limit else {
            throw ConsoleError(.configurationLimitExceeded, "more than \(limit) \(things)")
        }
    }

    /// A name as errors show it.
    private func quoted(_ name: [UInt8]) -> String {
        "\"\(String(decoding: name.prefix(Self.nameLimit), as: UTF8.self))\""
    }
}
