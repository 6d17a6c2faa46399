// Copyright the Carom authors
// SPDX-License-Identifier: Apache-2.0

/// One row of a result: its cells, as a collection.
public struct PostgresRow: Sendable {
    let contents: ResultContents
    let number: Int

    /// What is known of the cells.
    public var columns: [PostgresColumn] { contents.columns }

    /// The first cell whose column has this name; nil if there is none.
    public subscript(name: String) -> PostgresCell? {
        contents.columns.firstIndex { $0.name == name }.map { self[$0] }
    }

    /// A cell's value; an optional type takes SQL null too.
    ///
    /// - Throws: ``PostgresError`` with the code `decoding` when there is no such column, or its value is none of that type.
    public subscript<Value: PostgresDecodable>(name: String, as type: Value.Type) -> Value {
        get throws(PostgresError) {
            guard let cell = self[name] else {
                let names = columns.map(\.name).joined(separator: ", ")
                throw PostgresError(.decoding, "the row has no column '\(name)'; it has: \(names)")
            }
            return try cell.decode(type)
        }
    }

    /// A cell's value; an optional type takes SQL null too.
    ///
    /// - Throws: ``PostgresError`` with the code `decoding` when there is no such column, or its value is none of that type.
    public subscript<Value: PostgresDecodable>(column: Int, as type: Value.Type) -> Value {
        get throws(PostgresError) {
            guard indices.contains(column) else {
                throw PostgresError(.decoding, "the row has no column \(column); it has \(count), from 0")
            }
            return try self[column].decode(type)
        }
    }
}

extension PostgresRow: RandomAccessCollection {
    /// The first column.
    public var startIndex: Int { 0 }

    /// The number of columns.
    public var endIndex: Int { contents.columns.count }

    /// A cell.
    public subscript(position: Int) -> PostgresCell {
        precondition(indices.contains(position), "a row of \(count) columns has no column \(position)")
        return PostgresCell(contents: contents, row: number, number: position)
    }
}
