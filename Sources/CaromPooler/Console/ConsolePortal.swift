// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

import CaromPostgresProtocol

/// A command that is being carried out, and how much of its table the client has.
struct ConsolePortal {
    private enum State {
        /// Not run. → `.waiting`, `.rows`, `.finished`
        case ready
        /// Run, and the result is not there yet; then so many rows are wanted. → `.rows`, `.finished`
        case waiting(limit: Int)
        /// Run; these rows are left. Stays so when none is left: more are asked for, none come.
        case rows(ArraySlice<[String?]>)
        /// Run, and it has no rows.
        case finished
    }

    /// Nil for an empty statement.
    private let command: (any ConsoleCommand)?
    /// As Bind gives them: none, one for all columns, or one for each.
    private let formats: [ValueFormat]
    private var state = State.ready

    init(_ command: (any ConsoleCommand)?, formats: [ValueFormat] = []) {
        self.command = command
        self.formats = formats
    }

    /// Writes the columns of its table, or NoData.
    func describe(into output: inout [UInt8]) {
        guard let columns = command?.columns else { return BackendTag.noData.encodeEmpty(into: &output) }
        RowDescription(
            columns: columns.enumerated().map { $1.description(format: format(of: $0)) }
        ).encode(into: &output)
    }

    private func format(of column: Int) -> ValueFormat {
        (formats.count > 1 ? formats[column] : formats.first) ?? .text
    }

    /// Runs the command if it has not run, and writes its rows and its end.
    ///
    /// - Parameter limit: at most this many rows, then PortalSuspended if there are more; 0 is all.
    /// - Returns: a job whose result is awaited, for ``finish(_:into:)``.
    mutating func run(
        _ context: ConsoleContext, limit: Int, into output: inout [UInt8]
    ) throws(ConsoleError) -> ConsoleJob? {
        guard let command else {
            BackendTag.emptyQueryResponse.encodeEmpty(into: &output)
            return nil
        }
        switch state {
        case .ready:
            let result = command.run(context)
            if case .wait(let job) = result {
                state = .waiting(limit: limit)
                return job
            }
            try take(result, limit, into: &output)
        case .waiting: preconditionFailure("nothing is run while a result is awaited")
        case .rows(let rows): write(rows, limit, into: &output)
        case .finished:
            throw ConsoleError(
                .objectNotInPrerequisiteState, "the portal has been run and cannot be run again")
        }
        return nil
    }

    /// Writes the result that was awaited.
    mutating func finish(_ result: ConsoleResult, into output: inout [UInt8]) throws(ConsoleError) {
        guard case .waiting(let limit) = state else { preconditionFailure("no result is awaited") }
        try take(result, limit, into: &output)
    }

    private mutating func take(_ result: ConsoleResult, _ limit: Int, into output: inout [UInt8])
        throws(ConsoleError)
    {
        switch result {
        case .wait: preconditionFailure("a job waits for no other")
        case .failed(let error):
            state = .finished
            throw error
        case .done(let tag, let notice):
            state = .finished
            notice?.fields.encode(asNotice: true, into: &output)
            CommandComplete(tag: tag).encode(into: &output)
        case .table(let rows):
            let width = command?.columns?.count
            precondition(rows.allSatisfy { $0.count == width }, "A row has a value for each column.")
            write(rows[...], limit, into: &output)
        }
    }

    private mutating func write(_ rows: ArraySlice<[String?]>, _ limit: Int, into output: inout [UInt8]) {
        let part = limit == 0 ? rows : rows.prefix(limit)
        let columns = command?.columns ?? []
        for row in part {
            DataRow(
                values: zip(columns, row).enumerated().map { index, cell in
                    cell.1.map { cell.0.encoded($0, format: format(of: index)) }
                }
            ).encode(into: &output)
        }
        let rest = rows.dropFirst(part.count)
        state = .rows(rest)
        if rest.isEmpty {
            CommandComplete(tag: "SHOW").encode(into: &output)
        } else {
            BackendTag.portalSuspended.encodeEmpty(into: &output)
        }
    }
}
